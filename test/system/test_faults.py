"""What goes wrong at an endpoint: the run goes on to the same results, or stops and says why."""
import json
import signal

import pytest
from conftest import BY_WORLD, DONE, USAGE, WITH_FAILURES, bill_holds, start_sweep, wait_until

# Kinds after which the request is asked again, and whether each leaves a doubt.
TRANSIENT = {"reset_before": True, "status500": True, "status503": True, "status429": False,
             "hang_before": True,
             "status500_after": True, "reset_after": True, "hang": True, "truncate": True,
             "garbage": True, "empty": True}
HARMLESS = ["slow"]  # a good answer all the same
UNUSABLE = ["no_logprobs", "bad_type"]  # an answer that was paid for and stored, and says nothing
FAULTY = dict(endpoint="timeout_s = 3", run="max_tries = 100", budget="doubts_usd = 1.00")


@pytest.mark.parametrize("kind", [*TRANSIENT, *HARMLESS])
def test_same_results_after(place, undisturbed, kind):
    standin = place.standin("--seed", "5")
    place.config(standin.url, **FAULTY)
    standin.faults(**{kind: 0.25}, count=3)
    place.run()
    assert place.results() == undisturbed()
    assert standin.outcomes()[kind] == 3
    bill_holds(place, standin)
    doubts = place.ledger()["doubts"]
    if kind in TRANSIENT:
        if kind == "reset_before":  # no doubt where the reset came before the first byte was sent
            assert len(doubts) <= 3
        else:
            assert len(doubts) == (3 if TRANSIENT[kind] else 0)
        assert len(standin.bills()) == sum(row["answers"] for row in place.ledger()["by_run"]) + (
            3 if any(bill["outcome"] == kind for bill in standin.bills()) else 0)
    assert standin.asked_again() <= len(doubts)
    place.fsck()


def test_answers_without_usage_stay_charged(place, undisturbed):
    """The answer is used; as nobody knows what it cost, it stays charged at worst case. Tokens are
    not known either."""
    standin = place.standin("--seed", "5")
    place.config(standin.url)
    standin.faults(no_usage=0.25, count=3)
    place.run()
    expected, results = undisturbed(), place.results()
    assert all(results[kind] == expected[kind] for kind in ("scores", "simulations"))
    bill_holds(place, standin)
    assert len(place.ledger()["doubts"]) == 3 and standin.asked_again() == 0
    place.fsck()


@pytest.mark.threads
def test_all_kinds_at_once(place, undisturbed):
    standin = place.standin("--seed", "11", "--latency", "uniform:0,40")
    place.config(standin.url, mode="repeat", limit=3, **FAULTY)
    standin.faults(**{kind: 0.03 for kind in [*TRANSIENT, *HARMLESS] if "hang" not in kind})
    place.run()
    assert place.results() == undisturbed(mode="repeat", limit=3)
    bill_holds(place, standin)
    assert standin.asked_again() <= len(place.ledger()["doubts"])
    place.fsck()


@pytest.mark.parametrize("kind, mode", [(kind, "echo") for kind in UNUSABLE])
def test_unusable_answers_are_failures_and_never_zeros(place, undisturbed, kind, mode):
    """Paid for, stored, and therefore not asked again: recorded parse failures; all else is the
    same."""
    standin = place.standin("--seed", "5", "--latency", "fixed:20")
    place.config(standin.url, mode=mode, endpoint="concurrency = 2")
    glia = start_sweep(place, standin, 6)  # behind the probes
    standin.faults(**{kind: 0.3}, count=3)
    glia.wait(WITH_FAILURES)
    assert standin.outcomes()[kind] == 3 and standin.asked_again() == 0
    bill_holds(place, standin)
    failures = place.status()["failures"]
    assert failures and "logprobs" in json.dumps(failures, default=str) or kind != "no_logprobs"
    expected = {tuple(line[key] for key in ("id", "format", "sample")): line
                for line in map(json.loads, undisturbed(mode=mode)["scores"].splitlines())}
    for line in map(json.loads, place.results()["scores"].splitlines()):
        if line["scored"] == "done" and line["compared"] == "done":
            assert line == expected[tuple(line[key] for key in ("id", "format", "sample"))]
        elif line["scored"] != "done":
            assert line["score"] is None
    bills = standin.bills()
    place.run(code=WITH_FAILURES)
    # what is stored is parsed again, not bought again
    place.run("--retry-failed", code=WITH_FAILURES)
    assert standin.bills() == bills
    place.fsck()


def test_repeat_without_logprobs_uses_the_integers(place):
    standin = place.standin("--no-logprobs")
    place.config(standin.url, mode="repeat")
    place.run()
    scores = [json.loads(line) for line in place.glia("export", "scores").out.splitlines()]
    assert all(line["scored"] == "done" for line in scores)


@pytest.mark.parametrize("option, word", [("--no-echo", "echo"), ("--no-logprobs", "logprobs")])
def test_probe_refuses_before_work(place, option, word):
    standin = place.standin(option)
    place.config(standin.url)
    said = place.run(code=USAGE).err
    assert word in said and "own" in said
    assert len(standin.bills()) <= 3, "work started before the probe was answered"
    assert {row["stage"] for row in place.ledger()["by_stage"]} == {"probe"}
    place.fsck()


@pytest.mark.threads
def test_quota_pauses_and_resumes(place, undisturbed):
    standin = place.standin("--latency", "fixed:20")
    place.config(standin.url, endpoint="concurrency = 2")
    glia = start_sweep(place, standin, 6)
    standin.faults(quota=1)
    glia.wait(BY_WORLD)
    assert "own" in glia.err and "quota" in glia.err
    settled, doubts = bill_holds(place, standin)
    assert doubts == 0 and settled == standin.bill()
    assert standin.outcomes()["quota"] <= 2, "an endpoint without quota was asked again"
    place.fsck()
    standin.faults()
    place.run()
    assert place.results() == undisturbed() and standin.asked_again() == 0


def test_wrong_key(place):
    standin = place.standin("--key", "right")
    place.config(standin.url, endpoint='key_env = "GLIA_TEST_KEY"')
    said = place.run(code=BY_WORLD, env={"GLIA_TEST_KEY": "wrong"}).err
    assert "own" in said and "credentials" in said and "API key" in said
    assert standin.bills() == [] and place.money() == (0, 0, 0)
    place.run(env={"GLIA_TEST_KEY": "right"})
    place.fsck()


def test_unknown_model(place):
    standin = place.standin("--models", "standin-text,standin-embedding")
    place.config(standin.url)
    said = place.run(code=USAGE).err
    assert "standin-chat" in said and "does not exist" in said


def test_server_that_is_not_there(place, undisturbed):
    """An outage is waited out for as long as the config says; then the run pauses and can be
    resumed."""
    standin = place.standin()
    place.config(standin.url, run="outage_wait_minutes = 0.02", endpoint="connect_timeout_s = 1")
    standin.signal(signal.SIGTERM)
    standin.wait()
    said = place.run(code=BY_WORLD).err
    assert "own" in said and "down" in said
    assert place.money() == (0, 0, 0), "nothing was sent: nothing may be charged"
    place.fsck()
    other = place.standin()
    place.config(other.url)
    place.run()
    assert place.results() == undisturbed()


@pytest.mark.long
def test_outage_in_the_middle_is_survived(place, undisturbed):
    """The server dies and comes back on its port while the run waits; not one job fails."""
    standin = place.standin("--latency", "fixed:20")
    place.config(standin.url, endpoint="concurrency = 2")
    glia = start_sweep(place, standin, 8)
    standin.end()
    first = len(standin.ledger_path.read_text().splitlines())
    wait_until(lambda: not glia.running() or place.status()["state"] != "running" or
               place.ledger()["by_run"][0]["attempts"] > first + 3, "attempts at a dead server")
    assert glia.running()
    place.standin("--port", standin.port)
    glia.wait(DONE)
    assert place.results() == undisturbed()
    place.fsck()


def test_job_that_always_fails_is_left_for_later(place, undisturbed):
    """max_tries is reached: the job is retryable, the exit code says so, and the next run takes it
    up."""
    standin = place.standin("--latency", "fixed:20")
    place.config(standin.url, endpoint="concurrency = 2", run="max_tries = 1")
    glia = start_sweep(place, standin, 6)
    standin.faults(garbage=1, count=2)
    glia.wait(BY_WORLD)
    assert place.status()["failures"]
    place.run()
    assert place.results() == undisturbed()
    place.fsck()
