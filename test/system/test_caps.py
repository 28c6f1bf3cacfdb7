"""Budgets: a run stops before its cap, says what is missing, and goes on when the cap is raised."""
import re
import signal
from decimal import Decimal

import pytest
from conftest import AT_CAP, DONE, INTERRUPTED, USAGE, bill_holds, wait_until

CENTS = Decimal("0.000001")
MISSING = re.compile(r"needs \$0\.\d+ more")


def below_cap(place, cap):
    settled, doubts, reserved = place.money()
    assert settled + doubts + reserved <= cap
    return settled


def raised(place, standin, expected, *options):
    place.run(*options)
    assert place.results() == expected
    assert standin.asked_again() == 0
    place.fsck()


@pytest.mark.threads
def test_total_cap_pauses_and_goes_on(place, undisturbed):
    expected, cost = undisturbed(), undisturbed.bill()
    cap = (cost / 2).quantize(CENTS)
    standin = place.standin()
    place.config(standin.url, cap=cap)
    said = place.run(code=AT_CAP).err
    assert "budget.total_usd" in said and MISSING.search(said)
    settled = below_cap(place, cap)
    assert settled == standin.bill() and settled > 0
    status = place.status()
    assert status["state"] == "paused" and "budget.total_usd" in status["note"]
    bills = standin.bills()
    place.run(code=AT_CAP)  # nothing more fits
    assert standin.bills() == bills
    place.fsck()
    raised(place, standin, expected, "--set", "budget.total_usd=2.00")


def test_many_small_raises(place, undisturbed):
    """Every stop is at a cap, nothing is lost or asked twice on the way."""
    expected, cost = undisturbed(), undisturbed.bill()
    standin = place.standin()
    place.config(standin.url)
    for part in (3, 5, 7, 9):
        cap = (cost * part / 10).quantize(CENTS)
        place.run("--set", f"budget.total_usd={cap}", code=AT_CAP)
        below_cap(place, cap)
    raised(place, standin, expected)


def test_model_cap(place, undisturbed):
    expected = undisturbed()
    standin = place.standin()
    place.config(standin.url, budget='models = { standin-text = 0.003 }')
    said = place.run(code=AT_CAP).err
    assert "standin-text" in said and MISSING.search(said)
    rows = {row["model"]: row for row in place.ledger()["by_model"]}
    assert 0 < rows["standin-text"]["settled_usd"] <= Decimal("0.003")
    raised(place, standin, expected, "--set", "budget.models.standin-text=1.00")


def test_daily_cap_pauses(place, undisturbed):
    expected, cost = undisturbed(), undisturbed.bill()
    cap = (cost / 2).quantize(CENTS)
    standin = place.standin()
    place.config(standin.url, budget=f"daily_usd = {cap}")
    said = place.run(code=AT_CAP).err
    assert "budget.daily_usd" in said and MISSING.search(said)
    below_cap(place, cap)
    raised(place, standin, expected, "--set", "budget.daily_usd=2.00")


def test_daily_cap_waits_for_midnight(place):
    cost = Decimal("0.004")
    standin = place.standin()
    place.config(standin.url, budget=f'daily_usd = {cost}\non_daily_cap = "wait"')
    glia = place.start("run", "--plain")
    wait_until(lambda: not glia.running() or "midnight" in glia.err, "glia to say that it waits")
    assert glia.running() and "budget.daily_usd" in glia.err, glia.err
    glia.signal(signal.SIGINT)
    glia.wait(INTERRUPTED)
    below_cap(place, cost)


def test_store_cap_spans_runs(place):
    standin = place.standin()
    place.config(standin.url, samples=2)
    place.run("--set", "explain.samples=1")
    settled, _, _ = place.money()
    cap = (settled + Decimal("0.001")).quantize(CENTS)
    said = place.run("--run", "second", "--set", "sets.puzzles.limit=4", "--set",
                     f"budget.store_usd={cap}", code=AT_CAP).err
    assert "budget.store_usd" in said
    below_cap(place, cap)


def test_cap_smaller_than_one_request(place):
    standin = place.standin()
    place.config(standin.url, cap="0.00000001")
    said = place.run(code=USAGE).err
    assert "budget.total_usd" in said and len(said.strip().splitlines()) == 1
    assert standin.bills() == []


def test_model_cap_smaller_than_one_request(place):
    standin = place.standin()
    place.config(standin.url, budget='models = { standin-text = 0.0000001 }')
    said = place.run(code=USAGE).err
    assert "standin-text" in said


@pytest.mark.parametrize("cap", ["0", "-1.5", '"a lot"', "1e3", "1.0000000000001"])
def test_senseless_cap(place, cap):
    standin = place.standin()
    place.config(standin.url, cap=cap)
    done = place.glia("run", "--quiet", code=None)
    if done.returncode != DONE:  # 1e3 is a number of dollars like any other
        assert done.returncode == USAGE
        assert "config.toml:" in done.err and "budget.total_usd" in done.err
        assert standin.bills() == []
    else:
        assert cap == "1e3"


# --- doubts ---


def doubtful(place, count=3, **arguments):
    """A stand-in and a run of it in which `count` answers were billed and lost."""
    standin = place.standin("--seed", "1")
    place.config(standin.url, **arguments)
    standin.faults(reset_after=0.3, count=count)
    return standin


def test_doubts_stay_charged_until_released(place, undisturbed):
    standin = doubtful(place)
    place.run()
    assert place.results() == undisturbed()
    settled, doubts = bill_holds(place, standin)
    listed = place.ledger()["doubts"]
    assert len(listed) == 3 == standin.asked_again()
    assert sum(Decimal(doubt["amount_usd"]) for doubt in listed) == doubts > 0
    assert all(doubt["verdict"] == "broken" for doubt in listed)
    assert "Doubts" in place.glia("ledger").out

    for wrong in ([], ["--all"], ["--all", "--reason", ""], ["99999", "--reason", "x"],
                  ["x", "--reason", "x"], [listed[0]["attempt"], "--all", "--reason", "x"]):
        place.refused("ledger", "release", *wrong)
    assert place.ledger()["doubts"] == listed or len(place.ledger()["doubts"]) == 3

    one = listed[1]
    said = place.glia("ledger", "release", one["attempt"], "--reason", "not on the bill of May").out
    assert "1 doubt" in said
    rest = [doubt["attempt"] for doubt in place.ledger()["doubts"]]
    assert rest == [listed[0]["attempt"], listed[2]["attempt"]]
    assert place.money() == (settled, doubts - Decimal(one["amount_usd"]), 0)
    place.refused("ledger", "release", one["attempt"], "--reason", "again")
    place.fsck()

    place.glia("ledger", "release", "--all", "--reason", "paid by the provider")
    assert place.ledger()["doubts"] == [] and place.money() == (settled, 0, 0)
    place.fsck()
    bills = standin.bills()
    place.run()
    assert standin.bills() == bills
    assert b"not on the bill of May" in (place.path / "store" / "data.mdb").read_bytes()


def test_cap_of_doubts_pauses_a_flaky_night(place, undisturbed):
    standin = doubtful(place, count=1000, budget="doubts_usd = 0.002", endpoint="concurrency = 1",
                       run="max_tries = 100")
    said = place.run(code=AT_CAP).err
    assert "doubt" in said and "budget.doubts_usd" in said
    settled, doubts = bill_holds(place, standin)
    assert 0 < doubts <= Decimal("0.002")
    standin.faults()
    place.glia("ledger", "release", "--all", "--reason", "the provider waived them")
    place.run()
    assert place.results() == undisturbed()
    place.fsck()


def test_doubts_count_against_the_cap(place, undisturbed):
    cost = undisturbed.bill()
    standin = doubtful(place, count=1000, run="max_tries = 100", budget="doubts_usd = 1.00")
    cap = (cost * 2 / 3).quantize(CENTS)
    place.run("--set", f"budget.total_usd={cap}", code=AT_CAP)
    below_cap(place, cap)
    bill_holds(place, standin)
    standin.faults()
    place.run()
    assert place.results() == undisturbed()


# --- prices ---


def test_unpriced_model(place):
    standin = place.standin("--price", "mystery=1,1,1")
    place.config(standin.url, extra="""
[models.mystery]
endpoints = ["own"]
lineage = "standin-mystery"
context_tokens = 16384
""")
    options = ("--set", 'explain.models=["mystery"]')
    said = place.refused("run", "--quiet", *options)
    assert "mystery" in said and "price" in said and "unpriced" in said
    assert standin.bills() == []
    place.run(*options, "--set", "budget.unpriced=allow")
    rows = {row["model"]: row for row in place.ledger()["by_model"]}
    assert rows["mystery"]["settled_usd"] == 0 and rows["mystery"]["prompt_tokens"] > 0
    place.fsck()


def test_cached_tokens_are_charged_once(place):
    standin = place.standin("--cached-share", "0.5")
    place.config(standin.url)
    place.run()
    settled, doubts, _ = place.money()
    assert settled == standin.bill() and doubts == 0
    assert sum(bill["cached_tokens"] for bill in standin.bills()) > 0
