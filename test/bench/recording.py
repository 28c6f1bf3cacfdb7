"""What the rows of recording share: a model of random weights, a corpus, a config,
`glia record`."""
import json
import signal
import subprocess
import threading
import time

from common import BENCH, FILLER, GLIA, LIMIT, client, environment

CONFIG = """
[store]
path = "{place}/store"
[budget]
total_usd = 1
[subject]
model = "{place}"
corpus = ["{place}/corpus.txt"]
[record]
excerpts = {excerpts}
[sets.learned]
source = "record:"
[endpoints.standin]
base_url = "standin:"
[models.standin-chat]
endpoints = ["standin"]
context_tokens = 16384
price = {{ input = 0.50, output = 1.50 }}
[explain]
models = ["standin-chat"]
"""
LENGTH = 64  # tokens of an excerpt: bytes, to the tokenizer of bench_weights


def make_model(place, size, dtype="F32"):
    client(BENCH / "bench_weights", place.path, size, dtype)


class Anonymous(threading.Thread):
    """Watches how much anonymous memory a process has; `most`, in bytes. (Of its pages of files the
    kernel can take any.)"""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.path, self.most, self.ended = f"/proc/{pid}/status", 0, threading.Event()

    def run(self):
        while not self.ended.wait(0.2):
            with open(self.path) as status:
                now = [int(line.split()[1]) * 1024 for line in status if line.startswith("RssAnon")]
            self.most = max([self.most, *now])


def record(place, excerpts, workers=2, stop=None, resume=False):
    """Records all neurons; stopped by Ctrl-C after `stop` seconds, if given. What
    `glia record --json` says of it, with its wall seconds and the peak of its anonymous memory."""
    if not resume:
        place.drop("store")
    text = "".join(f"{i} {FILLER}" for i in range(2 * excerpts * LENGTH // len(FILLER)))
    (place.path / "corpus.txt").write_text(text)
    config = place.path / "glia.toml"
    config.write_text(CONFIG.format(place=place.path, excerpts=excerpts))
    start = time.monotonic()
    program = subprocess.Popen([GLIA, "record", "--quiet", "--json", "--config", config,
                                "--workers", str(workers)],
                               env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    timers = [threading.Timer(LIMIT + (stop or 0), program.kill)]
    if stop:
        timers.append(threading.Timer(stop, program.send_signal, [signal.SIGINT]))
    anonymous = Anonymous(program.pid)
    for thread in [anonymous, *timers]:
        thread.start()
    out, err = program.stdout.read(), program.stderr.read()
    anonymous.ended.set()
    anonymous.join()
    program.wait()
    for timer in timers:
        timer.cancel()
    if program.returncode != (130 if stop else 0):
        raise SystemExit(f"glia record: exit {program.returncode}\n{err[-2000:]}")
    return {**json.loads(out), "wall": time.monotonic() - start, "peak_bytes": anonymous.most}


def seconds_an_excerpt(said, which):
    return said["times"][which]["seconds"] / said["times"][which]["excerpts"]


def speed(said, excerpts, sample):
    """Tokens of the corpus a second, were there `excerpts` of them, of which the second pass goes
    over `sample` again."""
    once, again = seconds_an_excerpt(said, "first_pass"), seconds_an_excerpt(said, "second_pass")
    return excerpts * LENGTH / (excerpts * once + sample * again)
