"""What the rows of `make bench` share: places, the benchmark server, glia and other clients, the
table.

A row is a program test/bench/row_*.py that prints lines of the table with row(). Everything listens
on 127.0.0.1, ends by itself when the row's process does, and has a time limit.
"""
import json
import os
import pathlib
import resource
import shutil
import subprocess
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = (ROOT / os.environ.get("BUILD", "build")).resolve()
BENCH = BUILD / "test" / "bench"
GLIA = BUILD / "glia"
QUICK = bool(os.environ.get("QUICK"))
LIMIT = 400  # seconds until a program counts as hanging
PLENTY = "1000000"  # dollars: no cap is reached
FILLER = ("The excerpt goes on about the river and the harbour, about ferries that leave at seven "
          "and at nine, about the price of rope, and about people who wait on the quay for "
          "somebody they do not know. ")


def row(what, measured, required="", good=None):
    """One line of the table. `good`: whether the requirement is met; None: nothing is required."""
    verdict = "" if good is None else "yes" if good else "**NO**"
    print(f"| {what} | {measured} | {required} | {verdict} |", flush=True)


def ratio(number):
    return f"{number:.2f}" if number < 10 else f"{number:.0f}"


class Place:
    """A directory of its own on the disk of the build (not a tmpfs: commits are to cost what they
    cost)."""

    def __enter__(self):
        BENCH.mkdir(parents=True, exist_ok=True)
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="place-", dir=BENCH))
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)

    def drop(self, name):
        """Removes a directory of it, if it is there."""
        shutil.rmtree(self.path / name, ignore_errors=True)

    def requests(self, count, first=0, size=4096):
        """A Batch-API file whose bodies are `size` bytes long and all different; its path."""
        path = self.path / f"requests-{first}-{count}.jsonl"
        head = '{"model":"bench","max_tokens":100,"messages":[{"role":"user","content":"'
        text = (FILLER * (size // len(FILLER) + 1))[:size - len(head) - len('00000000 "}]}')]
        with open(path, "w") as out:
            for i in range(first, first + count):
                out.write(f'{{"custom_id":"line-{i}","method":"POST","url":"/v1/chat/completions",'
                          f'"body":{head}{i:08} {text}"}}]}}}}\n')
        return path


class Server:
    """bench_server; ends when this process does, at the latest."""

    def __init__(self, place):
        port_file = place.path / "port"
        self.process = subprocess.Popen([BENCH / "bench_server", port_file, "900"],
                                        stdin=subprocess.PIPE)
        end = time.monotonic() + 10
        while not (port_file.exists() and port_file.read_text().endswith("\n")):
            if self.process.poll() is not None or time.monotonic() > end:
                raise SystemExit("bench_server does not start")
            time.sleep(0.01)
        self.port = int(port_file.read_text())
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self.chat = self.url + "/chat/completions"

    def stats(self):
        """Requests and connections so far."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/stats", timeout=10) as answer:
            return json.load(answer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(10)


class Ended:
    """What a client was: its output, seconds of the wall and of CPU (user + system, all of its
    threads)."""

    def __init__(self, out, err, wall, cpu):
        self.out, self.err, self.wall, self.cpu = out, err, wall, cpu


def environment():
    return {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}


def client(*arguments, cwd=None):
    """Runs a client to its end, which has to be a good one."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run([str(a) for a in arguments], cwd=cwd, env=environment(),
                          capture_output=True, text=True, timeout=LIMIT, stdin=subprocess.DEVNULL)
    wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise SystemExit(f"{arguments}: exit {done.returncode}\n{done.stderr[-2000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Ended(done.stdout, done.stderr, wall, cpu)


def batch_arguments(requests, url, out, concurrency=64):
    return [GLIA, "batch", "--quiet", "--in", requests, "--out", out, "--endpoint", url, "--model",
            "bench",
            "--price-in", "0.5", "--price-out", "1.5", "--budget", PLENTY, "--concurrency",
            concurrency]


def batch(place, requests, url, name, concurrency=64, *more):
    """`glia batch` to its end; checks that every line has its result."""
    out = place.path / f"{name}.jsonl"
    ended = client(*batch_arguments(requests, url, out, concurrency), *more)
    with open(requests, "rb") as lines, open(out, "rb") as results:
        wanted, got = sum(1 for _ in lines), sum(1 for _ in results)
    if wanted != got:
        raise SystemExit(f"{requests}: {got} results of {wanted}")
    return ended


def lag_p99(place, name):
    """Milliseconds that the loop of a batch was late, 99th percentile, as glia itself reports
    it."""
    said = client(GLIA, "report", "--json", "--store", place.path / f"{name}.jsonl.glia").out
    return float(
        json.JSONDecoder().raw_decode(said[said.index('"loop_lag_p99_ms":') + 18:].lstrip())[0])
