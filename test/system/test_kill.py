"""The plug is pulled 20 times at seeded moments; what comes out is what an undisturbed run
gives."""
import random
import signal
import subprocess

import pytest
from conftest import DONE, bill_holds

KILLS = 20
SWEEP = dict(limit=10)  # one sample: the same body is never meant to be asked twice
FAULTS = ("status500=0.02", "status503=0.02", "status429=0.02", "reset_before=0.02",
          "reset_after=0.02", "status500_after=0.02", "truncate=0.02")


def kill_often(place, seed):
    """Starts the run and kills it, until it was killed KILLS times; it is not to be done before
    that."""
    rng = random.Random(seed)
    for kill in range(KILLS):
        glia = place.start("run", "--quiet")
        try:
            glia.process.wait(rng.uniform(0.0, 0.5) ** 1.5)
        except subprocess.TimeoutExpired:
            pass
        assert glia.running(), \
            f"seed {seed}: over (exit {glia.process.returncode}) before kill {kill}:\n{glia.err}"
        glia.end()
        assert glia.process.returncode == -signal.SIGKILL
        if kill % 5 == 4 and (place.path / "store").exists():
            place.fsck()


@pytest.mark.parametrize("mode, seed",
                         [("echo", 1), pytest.param("repeat", 2, marks=pytest.mark.long)])
def test_twenty_kills(place, undisturbed, mode, seed):
    standin = place.standin("--seed", seed, "--latency", "uniform:60,240",
                            *(o for f in FAULTS for o in ("--fault", f)))
    place.config(standin.url, mode=mode, endpoint="concurrency = 2", cap="20.00",
                 budget="doubts_usd = 18.00", run="max_tries = 100", **SWEEP)
    kill_often(place, seed)
    standin.faults(latency="fixed:0")
    place.run(code=DONE)
    assert place.results() == undisturbed(mode=mode, **SWEEP)
    _, doubts = bill_holds(place, standin)
    ledger = place.ledger()
    crashed = [doubt for doubt in ledger["doubts"] if doubt["verdict"] == "crash"]
    assert crashed, "no kill met an attempt in flight: the test shows nothing"
    assert standin.asked_again() <= len(ledger["doubts"]), \
        "a request was bought twice without a doubt"
    # By model and by path: every second bill for a body has a doubt of the same model.
    for row in ledger["by_model"]:
        bills = [bill["hash"] for bill in standin.bills() if bill["model"] == row["model"]]
        doubted = [doubt for doubt in ledger["doubts"] if doubt["model"] == row["model"]]
        assert len(bills) - len(set(bills)) <= len(doubted)
        assert len(set(bills)) <= row["answers"] + len(doubted)
    assert doubts > 0
    place.fsck()
    before = standin.bills()
    place.run(code=DONE)
    assert standin.bills() == before


def test_kill_right_after_the_start(place, undisturbed):
    """Before, in and right after the first commits."""
    standin = place.standin()
    place.config(standin.url)
    rng = random.Random(3)
    for _ in range(KILLS):
        glia = place.start("run", "--quiet")
        try:
            glia.process.wait(rng.uniform(0, 0.03))
        except subprocess.TimeoutExpired:
            pass
        glia.end()
    place.run()
    assert place.results() == undisturbed()
    bill_holds(place, standin)
    place.fsck()
