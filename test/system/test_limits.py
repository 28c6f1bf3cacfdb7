"""Limits: a strict server never has to refuse; what it asks for is obeyed; restarts forget
nothing."""
import email.utils
import json
import signal
import time

import pytest
from conftest import INTERRUPTED, bill_holds, start_sweep, wait_until

REFUSAL = json.dumps(
    {"error": {"message": "slow down", "type": "requests", "code": "rate_limit_exceeded"}}).encode()


@pytest.mark.long
def test_strict_server_never_refuses(place):
    """More requests than one window holds, one kill and one restart in the middle: no 429 at
    all."""
    rpm = 10
    standin = place.standin("--rpm", rpm, "--tpm", 24000, "--concurrency", 2)
    place.config(standin.url, limit=2, mode=None,
                 endpoint=f"rpm = {rpm}\ntpm = 24000\nconcurrency = 2")
    glia = start_sweep(place, standin, 4)
    glia.end()
    glia = start_sweep(place, standin, 2)
    glia.signal(signal.SIGINT)
    glia.wait(INTERRUPTED)
    place.run()
    outcomes = standin.outcomes()
    assert "rate_limited" not in outcomes, outcomes
    assert len(standin.bills()) > rpm, \
        "fewer requests than the window holds: the test shows nothing"
    bill_holds(place, standin)
    place.fsck()


def test_concurrency_is_kept(place):
    standin = place.standin("--concurrency", 3, "--latency", "uniform:10,60")
    place.config(standin.url, endpoint="concurrency = 3")
    place.run()
    assert "rate_limited" not in standin.outcomes()


def test_model_limits_are_kept(place):
    standin = place.standin("--concurrency", 4, "--latency", "uniform:10,40")
    place.config(standin.url, mode="repeat", adacs=False, model="concurrency = 4",
                 endpoint="concurrency = 64")
    place.run()
    assert "rate_limited" not in standin.outcomes()


def test_pace_is_even_from_the_start(place):
    """No burst: at 600 a minute, requests that follow each other are a tenth of a second apart.
    Arrivals jitter, so the sum over many gaps is looked at."""
    standin = place.standin()
    relay = place.relay(standin.port)
    place.config(relay.url, endpoint="rpm = 600")
    place.run()
    times = [arrival.time for arrival in relay.arrivals]
    assert len(times) > 30
    for i in range(len(times) - 20):
        assert times[i + 20] - times[i] > 20 * 0.1 - 1.0, \
            "21 requests came much closer than the limit allows"


def test_restart_keeps_the_window(place):
    """The pause after the last request of a killed run is kept by the next one."""
    standin = place.standin()
    relay = place.relay(standin.port)
    place.config(relay.url, limit=1, mode=None, adacs=False, endpoint="rpm = 20")
    glia = place.start("run", "--quiet")
    wait_until(lambda: len(relay.arrivals) == 2, "two requests")
    glia.end()
    place.start("run", "--quiet")
    wait_until(lambda: len(relay.arrivals) == 3, "a third request")
    times = [arrival.time for arrival in relay.arrivals]
    assert times[2] - times[1] > 2.5, "3 s apart, less some jitter of arrival"


@pytest.mark.parametrize("header", ["retry-after-ms", "Retry-After", "date"])
def test_retry_after_is_obeyed(place, undisturbed, header):
    """Nothing arrives before the time that the server asked for: measured at the server, from
    before it answered."""
    asked = []

    def answer(number, arrival):
        if number != 4:
            return None
        fields = {"retry-after-ms": ("retry-after-ms", "1500", 1.5),
                  "Retry-After": ("Retry-After", "2", 2.0),
                  "date": ("Retry-After", email.utils.formatdate(time.time() + 3, usegmt=True),
                           2.0)}
        name, value, seconds = fields[header]
        asked.append((time.monotonic(), seconds))
        return 429, {"Content-Type": "application/json", name: value}, REFUSAL

    standin = place.standin()
    relay = place.relay(standin.port, answer)
    place.config(relay.url, endpoint="concurrency = 1")
    place.run()
    (when, seconds), = asked
    assert relay.arrivals[4].time - when >= seconds
    assert place.results() == undisturbed()
    assert place.money()[1] == 0, "a 429 costs nothing"


def test_request_larger_than_tpm_fails_at_once(place):
    standin = place.standin()
    place.config(standin.url, mode=None, adacs=False, formats=["original"], endpoint="tpm = 500")
    done = place.run(code=None)
    # the probe fits
    assert done.returncode in (2, 5) and standin.bills() == [] or len(standin.bills()) == 1
    assert "tpm" in done.err + json.dumps(place.status()["failures"], default=str)
