#!/usr/bin/python3
"""Real crashes: the built programs, a stand-in that misbehaves, and what a night can do to them.

usage: test/torture/torture.py [--kills N] [--stop-seconds N] [--seed N] [--only NAME]

Prints a Markdown table, a row a scenario; test/torture/README.md has the last one. Every scenario
ends the same way: the work is carried to its end, its results are compared byte for byte with an
undisturbed run's, the ledger is held against the stand-in's bill (settled <= bill <= settled +
doubts, no body bought twice without a doubt), and `glia fsck` reads the whole store. The first
broken promise ends the program with exit code 1, its seed, and the directory, which is then kept.
"""
import argparse
import collections
import json
import os
import pathlib
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from decimal import Decimal

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
from conftest import BY_WORLD, DONE, GLIA, INTERRUPTED, Place, wait_until  # noqa: E402

SWEEP = dict(limit=8)
FAULTS = ["status500=0.02", "status503=0.02", "status429=0.02", "reset_before=0.02",
          "reset_after=0.02", "status500_after=0.02", "truncate=0.02", "garbage=0.01", "empty=0.01"]
PATIENT = dict(cap="40.00", budget="doubts_usd = 38.00", run="max_tries = 100")
BATCH_LINES = 2000


class Broken(Exception):
    """A promise was broken."""


def expect(holds, what):
    if not holds:
        raise Broken(what)


class Scenario:
    """A place, a stand-in and a seed; what befell it is counted in `facts`."""

    def __init__(self, path, seed, undisturbed):
        self.place, self.rng, self.seed = Place(path), random.Random(seed), seed
        self.undisturbed = undisturbed
        self.facts = collections.Counter()
        self.standin = None

    def serve(self, latency, faults=True, *options):
        chosen = [option for fault in FAULTS for option in ("--fault", fault)] if faults else []
        self.standin = self.place.standin("--seed", self.seed, "--latency", latency, *chosen,
                                          *options)
        return self.standin

    def killed_at(self, program, most, number=signal.SIGKILL):
        """Sends a signal at a random moment within `most` seconds, short ones being likelier;
        False: it was over before."""
        try:
            program.process.wait(self.rng.uniform(0, most ** 0.5) ** 2)
            return False
        except subprocess.TimeoutExpired:
            program.signal(number)
            return True

    def quiet(self):
        self.standin.faults(latency="fixed:0")

    def check_sweep(self, **arguments):
        expect(self.place.results() == self.undisturbed(**arguments),
               "results differ from an undisturbed run's")
        self.check_money()

    def check_money(self, *options):
        rows = self.place.ledger(*options)
        settled, doubts, reserved = (sum(row[key] for row in map(decimals, rows["by_run"]))
                                     for key in ("settled_usd", "doubts_usd", "reserved_usd"))
        bill = self.standin.bill()
        expect(reserved == 0, f"${reserved} is still reserved")
        expect(settled <= bill <= settled + doubts,
               f"settled ${settled}, doubts ${doubts}, but the bill is ${bill}")
        again, open_doubts = self.standin.asked_again(), len(rows["doubts"])
        expect(again <= open_doubts, f"{again} bodies were bought twice, with {open_doubts} doubts")
        self.place.fsck(*options)
        self.facts["answers billed"] += len(self.standin.bills())
        self.facts["doubts"] += open_doubts
        self.facts["bought again, in doubt"] += again

    def check_money_of_samples(self, store):
        """In a batch equal bodies are samples: each line may be bought once without a doubt."""
        rows = self.place.ledger("--store", store)
        total = {key: sum(decimals(row)[key] for row in rows["by_run"])
                 for key in ("settled_usd", "doubts_usd", "reserved_usd")}
        bill = self.standin.bill()
        expect(total["reserved_usd"] == 0, "money is still reserved")
        expect(total["settled_usd"] <= bill <= total["settled_usd"] + total["doubts_usd"],
               f"{total}, but the bill is ${bill}")
        bills = len(self.standin.bills())
        expect(BATCH_LINES <= bills <= BATCH_LINES + len(rows["doubts"]),
               f"{bills} bills for {BATCH_LINES} lines, {len(rows['doubts'])} doubts")
        self.place.fsck("--store", store)
        self.facts["answers billed"] += bills
        self.facts["doubts"] += len(rows["doubts"])
        self.facts["bought again, in doubt"] += bills - BATCH_LINES


def decimals(row):
    return {key: Decimal(value) if key.endswith("_usd") else value for key, value in row.items()}


def kills(scenario, options, mode):
    """SIGKILL at random moments, as often as asked for, some of them within the first commits."""
    scenario.serve("uniform:40,160")
    scenario.place.config(scenario.standin.url, mode=mode, endpoint="concurrency = 4", **PATIENT,
                          **SWEEP)
    for kill in range(options.kills):
        glia = scenario.place.start("run", "--quiet")
        if not scenario.killed_at(glia, 0.03 if kill % 4 == 0 else 0.25):
            expect(glia.process.returncode == DONE, f"exit {glia.process.returncode}: {glia.err}")
            scenario.facts["starts that were done before the signal"] += 1
            continue
        glia.process.wait()
        scenario.facts["SIGKILL"] += 1
    scenario.quiet()
    scenario.place.run()
    scenario.check_sweep(mode=mode, **SWEEP)


def batch_lines(place):
    with open(place.path / "in.jsonl", "w", encoding="ascii") as lines:
        for i in range(BATCH_LINES):
            body = {"model": "standin-chat", "max_tokens": 12,
                    "messages": [{"role": "user", "content": f"question {i // 2}"}]}
            lines.write(json.dumps({"custom_id": f"id-{i}", "method": "POST",
                                    "url": "/v1/chat/completions", "body": body}) + "\n")


def batch_arguments(url):
    return ("batch", "--quiet", "--in", "in.jsonl", "--out", "out.jsonl", "--endpoint", url,
            "--model", "standin-chat",
            "--price-in", "0.50", "--price-out", "1.50", "--budget", "40", "--concurrency", "4",
            "--set", "budget.doubts_usd=38", "--set", "run.max_tries=100")


def batch_kills(scenario, options):
    """The same for a batch; its results file is torn at its end, too."""
    with tempfile.TemporaryDirectory() as quiet:
        calm = Place(pathlib.Path(quiet))
        batch_lines(calm)
        try:
            calm.glia(*batch_arguments(calm.standin("--seed", scenario.seed).url))
            expected = (calm.path / "out.jsonl").read_bytes()
        finally:
            calm.close()
    place = scenario.place
    batch_lines(place)
    scenario.serve("uniform:20,60")
    out = place.path / "out.jsonl"
    for kill in range(options.kills):
        glia = place.start(*batch_arguments(scenario.standin.url))
        if not scenario.killed_at(glia, 0.03 if kill % 4 == 0 else 0.3):
            expect(glia.process.returncode == DONE, f"exit {glia.process.returncode}: {glia.err}")
            break
        glia.process.wait()
        scenario.facts["SIGKILL"] += 1
        if out.exists() and kill % 3 == 0:
            with open(out, "r+b") as torn:
                torn.truncate(max(0, out.stat().st_size - scenario.rng.randrange(400)))
            scenario.facts["results file torn"] += 1
        expect(not out.exists() or expected.startswith(out.read_bytes()[:-1].rpartition(b"\n")[0]),
               "a result line differs")
    scenario.quiet()
    place.glia(*batch_arguments(scenario.standin.url))
    expect(out.read_bytes() == expected, "results.jsonl differs from an undisturbed batch's")
    scenario.check_money_of_samples("out.jsonl.glia")


def stopped(scenario, options, whom):
    """SIGSTOP for a minute, longer than every timeout; then SIGCONT."""
    standin = scenario.serve("uniform:40,160", False, "--rpm", "600")
    scenario.place.config(standin.url,
                          endpoint="concurrency = 4\nrpm = 600\ntimeout_s = 20\nidle_timeout_s "
                                   "= 10", **PATIENT, **SWEEP)
    glia = scenario.place.start("run", "--quiet")
    wait_until(lambda: not glia.running() or len(standin.bills()) > 20, "the first answers")
    expect(glia.running(), glia.err)
    sleeper = glia if whom == "glia" else standin
    sleeper.signal(signal.SIGSTOP)
    time.sleep(options.stop_seconds)
    sleeper.signal(signal.SIGCONT)
    scenario.facts[f"SIGSTOP of {whom}, {options.stop_seconds} s"] += 1
    glia.wait(DONE, 300)
    expect(standin.outcomes().get("rate_limited", 0) == 0
           and standin.outcomes().get("status429", 0) == 0,
           f"a limit was passed after the stop: {standin.outcomes()}")
    scenario.check_sweep(**SWEEP)


def interrupted(scenario, options):
    """SIGTERM and SIGINT, one or two of them, at random moments."""
    scenario.serve("uniform:40,160")
    scenario.place.config(scenario.standin.url, endpoint="concurrency = 4", **PATIENT, **SWEEP)
    for _ in range(options.kills // 2):
        glia = scenario.place.start("run", "--quiet")
        if scenario.killed_at(glia, 0.3, scenario.rng.choice([signal.SIGTERM, signal.SIGINT])):
            scenario.facts["SIGINT or SIGTERM"] += 1
            if scenario.rng.random() < 0.5 and scenario.killed_at(glia, 0.1, signal.SIGINT):
                scenario.facts["a second one"] += 1
        # A signal that comes before the program listens ends it as any other program.
        expect(glia.wait() in (DONE, INTERRUPTED, -signal.SIGTERM, -signal.SIGINT),
               f"exit {glia.process.returncode}: {glia.err}")
    scenario.quiet()
    scenario.place.run()
    scenario.check_sweep(**SWEEP)


def full_disk(scenario, options):
    """A small file system that fills up; kills meanwhile; then room."""
    disk = scenario.place.path / "disk"
    disk.mkdir()

    def mount(*arguments):
        return subprocess.run(["mount", *arguments, str(disk)], capture_output=True,
                              check=False).returncode == 0

    if os.geteuid() != 0 or not mount("-t", "tmpfs", "-o", "size=500k", "tmpfs"):
        scenario.facts["skipped: only root can mount a small file system"] += 1
        return
    try:
        scenario.serve("uniform:5,20")
        scenario.place.config(scenario.standin.url, endpoint="concurrency = 4", store="disk/store",
                              **PATIENT, **SWEEP)
        for step in range(options.kills // 4):
            glia = scenario.place.start("run", "--quiet", "--set", "store.min_free_mb=0", "--set",
                                        "run.outage_wait_minutes=0.01")
            if scenario.killed_at(glia, 0.8):
                scenario.facts["SIGKILL"] += 1
            expect(glia.wait() in (DONE, BY_WORLD, -signal.SIGKILL),
                   f"exit {glia.process.returncode}: {glia.err}")
            scenario.facts["paused: disk full"] += glia.process.returncode == BY_WORLD
            if step % 5 == 4:
                expect(mount("-o", f"remount,size={500 + 60 * step}k"), "remount")
        expect(mount("-o", "remount,size=200m"), "remount")
        scenario.quiet()
        scenario.place.run()
        scenario.check_sweep(**SWEEP)
    finally:
        scenario.place.close()
        subprocess.run(["umount", "-l", str(disk)], check=False)


def limited(scenario, options, name, limit, values):
    """Under `ulimit`, a start ends well or says in one line what it lacks; nothing is lost."""
    scenario.serve("uniform:1,5")
    scenario.place.config(scenario.standin.url, endpoint="concurrency = 32", **PATIENT, **SWEEP)
    for value in values:
        done = subprocess.run([str(GLIA), "run", "--quiet"], cwd=scenario.place.path,
                              env=scenario.place.env,
                              capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120,
                              check=False,
                              preexec_fn=lambda v=value: resource.setrlimit(limit, (v, v)))
        shown = f"{value >> 20} MiB" if value > 1 << 20 else value
        scenario.facts[f"{name} {shown}: exit {done.returncode}"] += 1
        if done.returncode not in (DONE, BY_WORLD):
            # Memory that runs out in malloc, or libraries that cannot be mapped, end the
            # program; the store stands.
            expect(done.stderr.strip(), f"{name} {value}: exit {done.returncode} without a word")
        if (scenario.place.path / "store").exists():
            scenario.place.fsck()
    scenario.quiet()
    scenario.place.run()
    scenario.check_sweep(**SWEEP)


SCENARIOS = {
    "killed, mode echo": lambda s, o: kills(s, o, "echo"),
    "killed, mode repeat": lambda s, o: kills(s, o, "repeat"),
    "killed, batch": batch_kills,
    "interrupted": interrupted,
    "glia stopped": lambda s, o: stopped(s, o, "glia"),
    "endpoint stopped": lambda s, o: stopped(s, o, "the endpoint"),
    "small disk": full_disk,
    "ulimit -v": lambda s, o: limited(s, o, "-v", resource.RLIMIT_AS,
                                      [m << 20 for m in (64, 128, 192, 256, 384, 512, 768)]),
    "ulimit -n": lambda s, o: limited(s, o, "-n", resource.RLIMIT_NOFILE,
                                      [8, 12, 16, 24, 48, 79, 80, 256]),
}


def undisturbed_results(known={}):
    def results(**arguments):
        key = json.dumps(arguments, sort_keys=True)
        if key not in known:
            with tempfile.TemporaryDirectory() as path:
                place = Place(pathlib.Path(path))
                try:
                    place.config(place.standin().url, **arguments)
                    place.run()
                    known[key] = place.results()
                finally:
                    place.close()
        return known[key]
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=100,
                        help="in each scenario that kills (default 100)")
    parser.add_argument("--stop-seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=SCENARIOS)
    options = parser.parse_args()
    totals, began = collections.Counter(), time.monotonic()
    print(
        "| scenario | what befell it | answers billed | doubts | bought again, in doubt | seconds "
        "|\n|---|---|---|---|---|---|", flush=True)
    for name, torture in SCENARIOS.items():
        if options.only not in (None, name):
            continue
        path = pathlib.Path(tempfile.mkdtemp(prefix="glia-torture-"))
        scenario, start = Scenario(path, options.seed, undisturbed_results()), time.monotonic()
        try:
            torture(scenario, options)
        except (Broken, AssertionError, subprocess.SubprocessError) as error:
            print(f"\ntorture: BROKEN in \"{name}\", seed {options.seed}, left in {path}:\n{error}",
                  file=sys.stderr)
            return 1
        finally:
            scenario.place.close()
        facts = scenario.facts
        money = [facts.pop(key, 0)
                 for key in ("answers billed", "doubts", "bought again, in doubt")]
        befell = ", ".join(f"{count} x {what}" if count > 1 else what
                           for what, count in sorted(facts.items()) if count)
        print(
            f"| {name} | {befell} | {money[0]} | {money[1]} | {money[2]} | "
            f"{time.monotonic() - start:.0f} |", flush=True)
        totals.update(facts)
        shutil.rmtree(path, ignore_errors=True)
    print(
        f"\n{totals['SIGKILL']} SIGKILLs, {time.monotonic() - began:.0f} s, seed {options.seed}: "
        f"every promise held")
    return 0


if __name__ == "__main__":
    sys.exit(main())
