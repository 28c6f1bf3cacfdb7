"""The forward pass of a GPT-2-small-shaped model: against sgemm alone at the same shapes, and
against PyTorch."""
import importlib.util
import json
import os
import pathlib
import sys

from common import BENCH, QUICK, Place, client, ratio, row

OPENMP = pathlib.Path("/usr/lib/x86_64-linux-gnu/openblas-openmp")
HERE = pathlib.Path(__file__).parent
ROUNDS, TURNS, BATCHES = (2, 1, 1) if QUICK else (3, 2, 2)


def forward(place):
    return json.loads(client(BENCH / "bench_gpt2", place.path, 2, 8, 64, BATCHES, TURNS).out)


def forward_torch(place):
    return json.loads(client(sys.executable, HERE / "bench_gpt2_torch.py", place.path, 16, 64,
                             BATCHES, TURNS).out)


def main():
    with Place() as place:
        client(BENCH / "bench_weights", place.path, "small", "F32")
        has_torch = importlib.util.find_spec("torch") is not None
        own, torch = [], []
        # in turns, so that a slow moment hits both; the best of each counts
        for _ in range(ROUNDS):
            os.environ.pop("LD_LIBRARY_PATH", None)
            own.append(forward(place))
            if has_torch:
                if OPENMP.exists():  # the linker takes it instead of the pthread one
                    os.environ["LD_LIBRARY_PATH"] = str(OPENMP)
                torch.append(forward_torch(place))
        speed = max(each["forward"] for each in own)
        share = speed / max(each["sgemm"] for each in own)
        row(f"forward pass, 12 x 768, excerpts of 64 tokens, 2 workers ({speed:.0f} tokens/s, "
            f"OpenBLAS {own[0]['core']}), "
            "against sgemm alone at the same shapes", ratio(share), "at least 0.8", share >= 0.8)
        if not has_torch:
            row("the same against PyTorch", "python3-torch is not installed")
        else:
            blas = "OpenMP" if any("openmp" in path for path
                                   in torch[0]["blas"]) else "pthread (two thread pools fight)"
            share = speed / max(each["forward"] for each in torch)
            row(f"the same against PyTorch, {torch[0]['threads']} threads, {blas} OpenBLAS",
                ratio(share), "at least 1.0", share >= 1)


if __name__ == "__main__":
    main()
