"""`glia record` with all neurons of a GPT-2-small-shaped model: against sgemm alone, against
PyTorch; its statistics.

Measured over few excerpts, in which the top records change far oftener than in a real run; the
second pass counts for as much as it is of 60,000 excerpts. What is done once (reading the model,
storing the records) is no part of the rates; the last line has it.
"""
import importlib.util
import json
import os

from common import BENCH, QUICK, Place, client, ratio, row
from recording import LENGTH, make_model, record, speed
from row_gpt2 import OPENMP, forward, forward_torch

ROUNDS, EXCERPTS, REAL, SAMPLE = (2, 64, 60000, 1024) if QUICK else (2, 512, 60000, 1024)
SHAPE = "12 x 768, excerpts of 64 tokens, 2 workers"

with Place() as place:
    make_model(place, "small")
    has_torch = importlib.util.find_spec("torch") is not None
    own, torch, recorded, statistics = [], [], [], []
    for _ in range(ROUNDS):  # in turns, so that a slow moment hits all; the best of each counts
        os.environ.pop("LD_LIBRARY_PATH", None)
        recorded.append(record(place, EXCERPTS))
        own.append(forward(place))
        statistics.append(json.loads(client(BENCH / "bench_statistics", 2, 12, 3072, LENGTH,
                                            512 if QUICK else 1024, REAL).out))
        if has_torch:
            if OPENMP.exists():  # the linker takes it instead of the pthread one
                os.environ["LD_LIBRARY_PATH"] = str(OPENMP)
            torch.append(forward_torch(place))
    best = max(recorded, key=lambda said: speed(said, REAL, SAMPLE))
    rate = speed(best, REAL, SAMPLE)
    share = rate / max(each["sgemm"] for each in own)
    row(f"`glia record`, all {best['neurons']} neurons, {SHAPE} ({rate:.0f} tokens/s, OpenBLAS "
        f"{best['core']}), against sgemm "
        "alone at the same shapes", ratio(share), "at least 0.8", share >= 0.8)
    if not has_torch:
        row("the same against PyTorch, forward pass alone", "python3-torch is not installed")
    else:
        blas = "OpenMP" if any("openmp" in path
                               for path in torch[0]["blas"]) else "pthread (two thread pools fight)"
        share = rate / max(each["forward"] for each in torch)
        row(f"the same against PyTorch, forward pass alone, {torch[0]['threads']} threads, {blas} "
            f"OpenBLAS", ratio(share),
            "at least 1.0", share >= 1)
    token = 2 / max(each["forward"] for each in own)  # seconds of one thread
    least = {key: min(each[key] for each in statistics) for key in statistics[0]}
    cost = (least["visit"] + least["merge"]) * REAL * LENGTH + least["boundaries"] + \
        least["second"] * SAMPLE * LENGTH
    share = cost / (token * (REAL + SAMPLE) * LENGTH)
    row(f"top records, moments, quantiles of record maxima and samples of {REAL} excerpts, against "
        f"the forward pass",
        f"{100 * share:.1f} %", "at most 3 %", share <= 0.03)
    once = best["wall"] - sum(best["times"][each]["seconds"]
                              for each in ("first_pass", "second_pass"))
    row(f"{REAL} excerpts of that model at that rate, with {once:.0f} s for what is done once",
        f"{(REAL * LENGTH / rate + once) / 3600:.2f} hours")
