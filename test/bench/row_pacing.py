"""Pacing, under the rehearsals' virtual clock: bench_pacing.c prints the rows."""
import subprocess

from common import BENCH

subprocess.run([BENCH / "bench_pacing"], timeout=300)
