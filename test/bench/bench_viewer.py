#!/usr/bin/python3
"""How fast the viewer's list and pages answer with 100,000 neurons in the store, while a run writes
to it; and what that does to the run.

    make all && /usr/bin/python3 test/bench/bench_viewer.py [--neurons N] [--place DIR] [--prepare]

Imports made-up neurons (every hundredth as large as published ones: 20 top, 15 random and 25
quantile excerpts of 64 tokens; the others a tenth of that), and explains them against the stand-in
in one format, with scores for what the run gets to: in turns with nobody looking, and while the
viewer is asked over HTTP, each thing thirty times without a pause and then lists and neurons at
random at a steady rate. Prints medians and maxima, and the run's loop lag of each turn as its
report states it. Needs about 1 GB in --place, by default a directory in $TMPDIR that is removed at
the end. --prepare only imports: what is in --place is used again.
"""
import argparse
import json
import os
import pathlib
import random
import statistics
import subprocess
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = (ROOT / os.environ.get("BUILD", "build")).resolve()
SECONDS, ROUNDS, PAUSE = 25, 2, 0.1
WIDTH = 3072
WORDS = [" the", " of", " river", " stone", " blue", " seven", " ran", ",", ".", " house", " light",
         "\n"]


def records(rng, count, tokens):
    made = []
    for _ in range(count):
        values = [round(max(0.0, rng.gauss(-0.5, 1.0)), 3) for _ in range(tokens)]
        made.append({"tokens": rng.choices(WORDS, k=tokens), "activations": values})
    return made


def neuron(rng, i):
    full = i % 100 == 0
    tokens = 64 if full else 16
    return {"neuron_id": {"layer_index": i // WIDTH, "neuron_index": i % WIDTH},
            "most_positive_activation_records": records(rng, 20 if full else 4, tokens),
            "random_sample": records(rng, 15 if full else 3, tokens),
            "random_sample_by_quantile": [records(rng, 5, tokens) if full else []
                                          for _ in range(5)],
            "quantile_boundaries": [0.1, 0.8, 1.5, 2.0]}


def config(path, url):
    path.write_text(f"""
[run]
name = "bench"
[store]
path = "store"
[budget]
total_usd = 1000
[endpoints.own]
base_url = "{url}"
concurrency = 16
[models.standin-chat]
endpoints = ["own"]
context_tokens = 16384
price = {{ input = 0.5, output = 1.5 }}
[models.standin-text]
endpoints = ["own"]
context_tokens = 16384
price = {{ input = 0.5, output = 1.5 }}
[sets.many]
source = "store:many"
[explain]
models = ["standin-chat"]
formats = ["highlight"]
[simulate]
model = "standin-text"
mode = "echo"
""")


def timed(url, times=30):
    taken = []
    for _ in range(times):
        begin = time.perf_counter()
        with urllib.request.urlopen(url, timeout=60) as answer:
            size = len(answer.read())
        taken.append(1000 * (time.perf_counter() - begin))
    return f"median {statistics.median(taken):7.1f} ms   most {max(taken):7.1f} ms   {size:,} bytes"


def wait_for(path):
    end = time.monotonic() + 60
    while not (path.exists() and path.read_text().strip()):
        assert time.monotonic() < end, f"{path.name} did not come"
        time.sleep(0.05)
    return int(path.read_text())


class Place:
    """The directory of the bench, and what was started in it."""

    def __init__(self, path):
        self.path, self.started = path, []

    def start(self, *arguments):
        program = subprocess.Popen([str(a) for a in arguments], cwd=self.path,
                                   stdin=subprocess.PIPE,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.started.append(program)
        return program

    def glia(self, *arguments):
        return subprocess.run([BUILD / "glia", *arguments], cwd=self.path, check=True,
                              capture_output=True, text=True).stdout

    def end(self):
        for program in reversed(self.started):
            if program.poll() is None:
                program.terminate()
                program.wait(60)


def prepare(place, count):
    """The imported neurons, once for a directory."""
    done = place.path / "imported"
    if done.exists() and done.read_text() == str(count):
        return
    config(place.path / "config.toml", "http://127.0.0.1:9/v1")
    rng = random.Random(1)
    with open(place.path / "many.jsonl", "w") as out:
        for i in range(count):
            out.write(json.dumps(neuron(rng, i)) + "\n")
    begin = time.monotonic()
    place.glia("import", "neurons", "many.jsonl", "--set", "many")
    print(f"imported {count:,} neurons in {time.monotonic() - begin:.0f} s")
    (place.path / "many.jsonl").unlink()
    done.write_text(str(count))


def run_for(place, seconds, meanwhile):
    """The run for so long, while something else happens; the p99 of its loop's lag, and the
    attempts it made."""
    run = place.start(BUILD / "glia", "run", "--quiet")
    begin = time.monotonic()
    time.sleep(5)
    before = attempts(place)
    meanwhile(begin + seconds)
    time.sleep(max(0, begin + seconds - time.monotonic()))
    made = attempts(place) - before
    assert run.poll() is None, "the run is over: nothing was live"
    run.send_signal(2)
    run.wait(120)
    report = json.loads(place.glia("report", "--format", "json"))
    lag = [row["loop_lag_p99_ms"] for table in report["costs"] if table["key"] == "times"
           for row in table["rows"]]
    return f"loop lag p99 {lag[0]} ms, {made / (seconds - 5):,.0f} attempts/s"


def attempts(place):
    return json.loads(place.glia("status", "--json"))["attempts"]


def look(place, neurons, end):
    """Everything that a viewer is asked for, until the time is up."""
    (place.path / "v.port").unlink(missing_ok=True)
    begin = time.monotonic()
    place.start(BUILD / "glia", "viewer", "--port", 0, "--port-file", place.path / "v.port")
    url = f"http://127.0.0.1:{wait_for(place.path / 'v.port')}"
    while True:
        with urllib.request.urlopen(f"{url}/api/neurons?count=0", timeout=60) as answer:
            said = json.loads(answer.read())
        if said["seen"] == said["total"]:
            break
        time.sleep(0.1)
    print(f"the index is whole after {time.monotonic() - begin:.1f} s")
    last = neurons - 1
    for name, path in (("list, order", "neurons?count=100"),
                       ("list, by score", "neurons?sort=score&descending=1"),
                       ("list, by layer", "neurons?sort=layer&descending=1"),
                       ("list, one layer", "neurons?layer=7&sort=spread"),
                       ("neuron, full size", "neuron?layer=0&neuron=0"),
                       ("neuron, small", "neuron?layer=0&neuron=1"),
                       ("neuron, last", f"neuron?layer={last // WIDTH}&neuron={last % WIDTH}"),
                       ("compare", "compare"), ("run", "run"), ("rates", "rates")):
        print(f"{name:20s} {timed(f'{url}/api/{path}')}")
    rng, asked = random.Random(2), 0
    while time.monotonic() < end:
        time.sleep(PAUSE)
        i = rng.randrange(neurons)
        for path in ("neurons?sort=score&descending=1",
                     f"neuron?layer={i // WIDTH}&neuron={i % WIDTH}"):
            with urllib.request.urlopen(f"{url}/api/{path}", timeout=60) as answer:
                answer.read()
            asked += 1
    print(f"and {asked} requests for lists and neurons at random, {2 / PAUSE:.0f} a second")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--neurons", type=int, default=100_000)
    parser.add_argument("--place", type=pathlib.Path)
    parser.add_argument("--prepare", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        path = options.place or pathlib.Path(directory)
        path.mkdir(exist_ok=True)
        place = Place(path)
        try:
            prepare(place, options.neurons)
            if options.prepare:
                return
            (path / "s.port").unlink(missing_ok=True)
            place.start(BUILD / "glia-standin", "--port", 0, "--port-file", path / "s.port",
                        "--until-eof", "--max-seconds", 3600)
            config(path / "config.toml", f"http://127.0.0.1:{wait_for(path / 's.port')}/v1")
            for _ in range(ROUNDS):
                print("nobody looks:    ", run_for(place, SECONDS, lambda end: None), flush=True)
                print("a viewer is read:",
                      run_for(place, SECONDS, lambda end: look(place, options.neurons, end)),
                      flush=True)
        finally:
            place.end()


main()
