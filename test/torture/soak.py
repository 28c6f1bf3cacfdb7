#!/usr/bin/python3
"""A long run at full speed: memory and file descriptors of glia stay flat.

usage: test/torture/soak.py [--what run|batch] [--minutes N] [--concurrency N]

More work than can be done in the time, against the stand-in, looked at every second; then Ctrl-C,
which has to drain, and the ledger is held against the stand-in's bill. Flat: the median RssAnon of
the last quarter is within 5 % of that of the second one (the first warms up), and so is the most of
open files. `run` is a sweep of explanations, `batch` a file of requests. Prints a Markdown table;
exit 1 if a promise is broken.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import statistics
import sys
import tempfile
import time
from decimal import Decimal

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
from conftest import DONE, INTERRUPTED, PICO, Place, loads  # noqa: E402

LINES_A_SECOND = 12000  # more than is done
NEURONS = 200


def sample(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(re.search(r"RssAnon:\s+(\d+)", status).group(1)) * 1024, \
        len(os.listdir(f"/proc/{pid}/fd"))


def start_batch(place, standin, options):
    with open(place.path / "in.jsonl", "w", encoding="ascii") as lines:
        for i in range(int(options.minutes * 60 * LINES_A_SECOND)):
            body = {"model": "standin-chat", "max_tokens": 12,
                    "messages": [{"role": "user", "content": f"question {i}"}]}
            lines.write(json.dumps({"custom_id": f"id-{i}", "method": "POST",
                                    "url": "/v1/chat/completions", "body": body}) + "\n")
    return place.start("batch", "--quiet", "--in", "in.jsonl", "--out", "out.jsonl", "--store",
                       "store", "--endpoint", standin.url,
                       "--model", "standin-chat", "--price-in", "0.5", "--price-out", "1.5",
                       "--budget", "100000", "--concurrency", options.concurrency)


def start_run(place, standin, options):
    # 5 formats of 10,000 samples each: millions
    with open(place.path / "neurons.jsonl", "w", encoding="ascii") as lines:
        for i in range(NEURONS):
            records = [{"tokens": [f" word{i * j % 97}", " and", f" thing{j}", "."],
                        "activations": [j, 0, 1, 0]} for j in range(1, 11)]
            lines.write(json.dumps({"id": f"n{i}", "records": records}) + "\n")
    place.config(standin.url, limit=0, mode=None, adacs=False, samples=10000, cap="100000",
                 source="neurons.jsonl", endpoint=f"concurrency = {options.concurrency}")
    return place.start("run", "--quiet")


def watch(glia, minutes):
    samples, end = [], time.monotonic() + minutes * 60
    while time.monotonic() < end and glia.running():
        samples.append(sample(glia.process.pid))
        time.sleep(1)
    return samples


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--what", choices=["run", "batch"], default="run")
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--concurrency", type=int, default=64)
    options = parser.parse_args()
    place = Place(pathlib.Path(tempfile.mkdtemp(prefix="glia-soak-")))
    try:
        standin = place.standin("--max-seconds", int(options.minutes * 60) + 900)
        glia = (start_batch if options.what == "batch" else start_run)(place, standin, options)
        samples = watch(glia, options.minutes)
        assert glia.running(), f"over too soon: {glia.err}"
        glia.signal(signal.SIGINT)
        code = glia.wait(deadline=300)
        assert code in (DONE, INTERRUPTED), glia.err
        row = place.ledger("--store", "store")["by_run"][0]
        bill = Decimal(
            standin.get("/_standin/ledger?skip=1000000000")["totals"]["cost_picodollars"]) / PICO
        same = Decimal(row["settled_usd"]) == bill and Decimal(row["doubts_usd"]) == 0 and \
            Decimal(row["reserved_usd"]) == 0
        place.fsck("--store", "store")
        quarter = len(samples) // 4
        second, last = samples[quarter:2 * quarter], samples[-quarter:]
        memory = [statistics.median(s[0] for s in part) for part in (second, last)]
        files = [max(s[1] for s in part) for part in (second, last)]
        flat = memory[1] <= memory[0] * 1.05 and files[1] <= files[0] * 1.05
        print(
            f"| {options.what}, {options.minutes:g} minutes, {options.concurrency} in flight | "
            f"second quarter | last quarter |\n|---|---|---|")
        print(f"| RssAnon, median | {memory[0] / 2**20:.1f} MiB | {memory[1] / 2**20:.1f} MiB |")
        print(f"| open files, most | {files[0]} | {files[1]} |")
        print(f"\n{row['attempts']:,} requests, {row['attempts'] / len(samples):,.0f} a second; "
              f"the ledger {'equals' if same else 'DIFFERS FROM'} the stand-in's bill; "
              f"{'flat' if flat else 'NOT FLAT'}")
        return 0 if flat and same else 1
    finally:
        place.close()
        shutil.rmtree(place.path, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
