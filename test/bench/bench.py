"""Runs the rows (all, or those named) and prints the table.

    make bench [QUICK=1] [ROWS="cpu pacing"]
"""
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
wanted = sys.argv[1:]
rows = sorted(HERE.glob("row_*.py"))
LARGE = {"xl"}  # takes 12 GB of memory and 16 GB of disk: only if it is named
unknown = [name for name in wanted if not (HERE / f"row_{name}.py").exists()]
if unknown:
    raise SystemExit(
        f"no such row: {', '.join(unknown)}; there are {', '.join(path.stem[4:] for path in rows)}")
print("| what | measured | required | reached |\n|---|---|---|---|", flush=True)
good = True
for path in rows:
    if path.stem[4:] not in wanted if wanted else path.stem[4:] in LARGE:
        continue
    said = subprocess.run([sys.executable, path], stdout=subprocess.PIPE, text=True)
    print(said.stdout, end="", flush=True)
    good = good and said.returncode == 0 and "**NO**" not in said.stdout
sys.exit(0 if good else 1)
