"""A whole run, its report and exports, and how it takes interruptions."""
import csv
import io
import json
import signal

import pytest
from conftest import DONE, FORMATS, INTERRUPTED, KINDS, SHARED, bill_holds, loads, start_sweep, \
    wait_until

SLOW = ("--latency", "fixed:100")


@pytest.mark.threads
def test_run_is_done_and_again_asks_nothing(place):
    standin = place.standin()
    place.config(standin.url)
    first = place.run()
    assert "done" in first.err
    results, bills = place.results(), standin.bills()
    settled, doubts, reserved = place.money()
    assert (settled, doubts, reserved) == (standin.bill(), 0, 0) and settled > 0
    assert standin.asked_again() == 0
    state = place.status()
    assert state["state"] == "done" and not state["live"]
    place.run()
    assert standin.bills() == bills
    assert place.results() == results
    place.fsck()


def test_another_run_in_the_store_asks_nothing(place):
    standin = place.standin()
    place.config(standin.url)
    place.run()
    bills = standin.bills()
    place.run("--run", "second")
    assert standin.bills() == bills
    assert place.results("--run", "second")["scores"] == place.results("--run", "default")["scores"]
    assert [row["run"] for row in place.ledger()["by_run"]][:1] == ["default"]
    place.fsck()


def rows_of(report, key):
    return [row for table in report["results"] if table["key"] == key for row in table["rows"]]


def test_default_config_reports_all_formats(place):
    """The shipped config, with the stand-in that glia starts by itself."""
    place.glia("run", "--quiet", "--set", "sets.puzzles.limit=3", "--set", "sets.learned.limit=2")
    report = loads(place.glia("report", "--json").out)
    for key in ("tokens", "scores"):
        rows = rows_of(report, key)
        assert [row["format"] for row in rows] == 2 * FORMATS  # the recorded neurons, the puzzles
        assert all(row["failed"] == 0 and row["missing"] == 0 for row in rows)
    tokens = {row["format"]: row["prompt_tokens"]["mean"] for row in rows_of(report, "tokens")}
    assert tokens["original"] > tokens["avhs"] > tokens["summary"]
    assert all(row["score"]["mean"] is not None for row in rows_of(report, "scores"))
    assert report["standin"] is True
    assert "stand-in" in place.glia("report").out
    place.fsck("--store", "glia-store")


@pytest.mark.long
@pytest.mark.skipif(not (SHARED / "puzzles.json").exists(), reason="../shared/data is absent")
def test_public_puzzles_report_all_formats(place):
    place.glia("run", "--quiet", "--set", f"sets.puzzles.source={SHARED / 'puzzles.json'}", "--set",
               "sets.learned.limit=1")
    report = loads(place.glia("report", "--json").out)
    assert [row["format"] for row in rows_of(report, "tokens")] == 2 * FORMATS
    adacs = [row for table in report["results"] if table["key"] == "puzzles"
             for row in table["rows"]]
    assert [row["format"] for row in adacs] == FORMATS
    assert all(row["compared"] == 19 for row in adacs)


def test_report_forms(place):
    standin = place.standin()
    place.config(standin.url)
    place.run()
    text = {form: place.glia("report", "--format", form).out
            for form in ("text", "md", "csv", "json", "html")}
    for name in FORMATS:
        assert all(name in said.replace("\\_", "_") for said in text.values())
    assert "| original |" in text["md"]
    assert any("original" in row for row in csv.reader(io.StringIO(text["csv"])))
    assert rows_of(json.loads(text["json"]), "tokens")
    html = text["html"]
    assert html.lstrip().lower().startswith("<!doctype html>") and "<script src" not in html
    assert "http://" not in html and "https://" not in html  # a page on its own
    place.glia("report", "--out", "out")
    assert {"report.txt", "report.md", "report.json", "report.html", "tokens.csv"} <= {
        path.name for path in (place.path / "out").iterdir()}
    assert (place.path / "out" / "report.txt").read_text() == text["text"]


def test_export_forms(place):
    standin = place.standin()
    place.config(standin.url)
    place.run()
    for kind in KINDS:
        lines = [json.loads(line) for line in place.glia("export", kind).out.splitlines()]
        assert {line["format"] for line in lines} == set(FORMATS)
        rows = list(csv.DictReader(io.StringIO(place.glia("export", kind, "--format", "csv").out)))
        assert {row["format"] for row in rows} == set(FORMATS)
        if kind == "simulations":
            assert len(rows) == sum(len(line["tokens"]) for line in lines)
        else:
            assert len(rows) == len(lines)
        place.glia("export", kind, "--out", f"{kind}.jsonl")
        assert (place.path / f"{kind}.jsonl").read_bytes() == place.glia("export", kind).stdout


@pytest.mark.parametrize("mode", ["echo", "repeat"])
@pytest.mark.parametrize("calibration", ["none", "linear"])
def test_same_answers_same_bytes(place, undisturbed, mode, calibration):
    """Another order, other timing, another concurrency: the same tables and exports."""
    arguments = dict(mode=mode, limit=3, samples=2,
                     extra=f'[score]\ncalibration = "{calibration}"\n')
    expected = undisturbed(**arguments)
    standin = place.standin("--latency", "uniform:0,30", "--seed", "7")
    place.config(standin.url, endpoint="concurrency = 3", run="window = 4", **arguments)
    place.run()
    assert place.results() == expected
    place.fsck()


def test_repeat_mode(place):
    standin = place.standin()
    place.config(standin.url, mode="repeat")
    place.run()
    scores = [json.loads(line) for line in place.glia("export", "scores").out.splitlines()]
    assert scores and all(line["scored"] == "done" for line in scores)
    assert {bill["path"] for bill in standin.bills()} == {"/v1/chat/completions", "/v1/embeddings"}
    place.fsck()


def test_keep_raw_trims_and_changes_nothing(place, undisturbed):
    expected = undisturbed()
    standin = place.standin()
    place.config(standin.url, extra="")
    place.run("--set", "store.keep_raw=explanations")
    assert place.results() == expected
    bills = standin.bills()
    place.run("--set", "store.keep_raw=explanations")
    assert standin.bills() == bills
    place.fsck()


def test_plan_sends_nothing_and_leaves_nothing(place):
    standin = place.standin()
    place.config(standin.url)
    plan = loads(place.glia("plan", "--json").out)
    assert {stage["stage"] for stage in plan["stages"]} >= {"explain", "simulate", "embed"}
    assert 0 < plan["expected_usd"] <= plan["worst_usd"]
    assert standin.bills() == [] and not (place.path / "store").exists()
    place.run()
    settled, _, _ = place.money()
    assert settled <= plan["worst_usd"]
    after = loads(place.glia("plan", "--json").out)
    assert sum(stage["requests"] for stage in after["stages"]) == 0


@pytest.mark.threads
def test_status_and_report_while_live(place):
    standin = place.standin(*SLOW)
    place.config(standin.url, endpoint="concurrency = 2")
    glia = start_sweep(place, standin, 6)
    state = place.status()
    assert state["live"] and state["state"] == "running" and \
        str(glia.process.pid) in state["holder"]
    assert state["settled_usd"] > 0
    assert "missing" in place.glia("report").out
    place.fsck()
    said = place.refused("run", "--quiet")
    assert "in use" in said and str(glia.process.pid) in said
    said = place.refused("ledger", "release", "--all", "--reason", "none")
    assert "in use" in said
    assert glia.running(), "the run ended before it was looked at"
    glia.wait(DONE)
    assert not place.status()["live"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("mode", ["echo", "repeat"])
def test_signal_drains_and_resumes(place, undisturbed, number, mode):
    standin = place.standin(*SLOW)
    place.config(standin.url, mode=mode, endpoint="concurrency = 3")
    glia = start_sweep(place, standin, 6)
    glia.signal(number)
    glia.wait(INTERRUPTED)
    settled, doubts, reserved = place.money()
    assert (doubts, reserved) == (0, 0) and settled == standin.bill()
    assert place.status()["state"] == "interrupted"
    place.fsck()
    place.run()
    assert place.results() == undisturbed(mode=mode)
    assert standin.asked_again() == 0
    place.fsck()


@pytest.mark.threads
def test_second_interrupt_leaves_at_once(place, undisturbed):
    standin = place.standin(*SLOW)
    place.config(standin.url, endpoint="concurrency = 3")
    glia = start_sweep(place, standin, 4)
    standin.faults(hang=1)
    wait_until(lambda: sum(bill["outcome"] == "hang" for bill in standin.bills()) == 3,
               "three attempts that hang")
    glia.signal(signal.SIGINT)
    wait_until(lambda: "finishing" in glia.err, "the first interrupt to be taken")
    assert glia.running()
    glia.signal(signal.SIGINT)
    glia.wait(INTERRUPTED)
    assert "left at once" in glia.err
    place.fsck()
    standin.faults()
    said = place.run()
    assert "3 attempts were in flight" in said.err
    assert place.results() == undisturbed()
    bill_holds(place, standin)
    assert len(place.ledger()["doubts"]) == 3 and standin.asked_again() <= 3
    place.fsck()


@pytest.mark.threads
def test_drain_has_a_limit(place):
    """What hangs when the drain is over becomes a doubt."""
    standin = place.standin(*SLOW)
    place.config(standin.url, endpoint="concurrency = 2", run="drain_seconds = 0.2")
    glia = start_sweep(place, standin, 4)
    standin.faults(hang=1)
    wait_until(lambda: sum(bill["outcome"] == "hang" for bill in standin.bills()) == 2,
               "two attempts that hang")
    glia.signal(signal.SIGTERM)
    glia.wait(INTERRUPTED)
    assert len(place.ledger()["doubts"]) == 2
    bill_holds(place, standin)
    place.fsck()


def test_help_and_version(place):
    assert "usage" in place.glia("--help").out and place.glia("--version").out
    for name in ("run", "record", "plan", "status", "report", "import", "export", "prompts",
                 "ledger", "fsck"):
        assert f"glia {name}" in place.glia(name, "--help").out
    assert "budget.total_usd" in place.glia("help", "config").out
    assert "report" in place.refused("reprot")


def test_lag_is_measured_and_reported(place, undisturbed):
    """p99 of the loop's lag stands in the report, apart from the scientific tables."""
    standin = place.standin("--latency", "fixed:30")
    place.config(standin.url)
    place.run()
    times, = [table for table in loads(place.glia("report", "--json").out)["costs"]
              if table["key"] == "times"]
    row, = times["rows"]
    assert row["loop_lag_p99_ms"] > 0
