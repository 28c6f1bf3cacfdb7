"""Tokens a second of the same forward pass in PyTorch, all cores.

    bench_gpt2_torch.py DIR EXCERPTS LENGTH BATCHES TURNS

Prints JSON: the best of TURNS, and the BLAS library that the process has mapped. Which one that is
depends on the dynamic linker: LD_LIBRARY_PATH=/usr/lib/x86_64-linux-gnu/openblas-openmp takes the
OpenMP OpenBLAS (libopenblas0-openmp).
"""
import json
import os
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "data" / "gpt2_reference"))
import torch  # noqa: E402
from dump import activations, read_model  # noqa: E402

directory, excerpts, length, batches, turns = sys.argv[1], *map(int, sys.argv[2:6])
torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", len(os.sched_getaffinity(0)))))
config, weights = read_model(directory)
tokens = torch.randint(config["vocab_size"], (excerpts, length))
best = 0
with torch.no_grad():
    activations(config, weights, tokens)
    for _ in range(turns):
        start = time.monotonic()
        for _ in range(batches):
            activations(config, weights, tokens)
        best = max(best, batches * excerpts * length / (time.monotonic() - start))
with open("/proc/self/maps") as maps:
    blas = sorted({line.split()[-1] for line in maps if "blas" in line})
print(json.dumps({"forward": round(best, 1), "threads": torch.get_num_threads(),
                  "blas": [os.path.realpath(path) for path in blas]}))
