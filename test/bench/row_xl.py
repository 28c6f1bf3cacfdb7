"""All neurons of a GPT-2 XL (random weights, float16), 60,000 excerpts of 64 tokens, K = 20: how
fast, how large, how long.

The recording of 60,000 excerpts is stopped after a while, which makes a checkpoint of its full
size; then it goes on from there for a while: reading the checkpoint touches all of its memory,
which an hour's excerpts would else have to. One of a few excerpts is carried out to the end, for
the second pass and for what storing 307,200 records takes. Needs 12 GB of memory and 16 GB of disk,
so it is no part of `make bench` unless named: make bench ROWS=xl.
"""
from common import QUICK, Place, row
from recording import LENGTH, make_model, record, seconds_an_excerpt

REAL, SAMPLE, FEW, STOP = 60000, 1024, 8, 60 if QUICK else 120
CHECKPOINT_EVERY = 300  # seconds

with Place() as place:
    make_model(place, "xl", "F16")
    part = record(place, REAL, stop=STOP)
    more = record(place, REAL, stop=60, resume=True)
    whole = record(place, FEW)
    first, second = part["times"]["checkpoints"], more["times"]["checkpoints"]
    excerpts = sum(each["times"]["first_pass"]["excerpts"] for each in (part, more))
    once = sum(each["times"]["first_pass"]["seconds"] for each in (part, more)) / excerpts
    what = (f"GPT-2 XL, all {whole['neurons']} neurons, {REAL} excerpts of {LENGTH} tokens, K = "
            f"20, 2 workers, OpenBLAS {whole['core']}")
    row(f"{what}: tokens/s of the first pass, over the first {excerpts} excerpts",
        f"{LENGTH / once:.1f}")
    row("the same: peak of anonymous memory", f"{more['peak_bytes'] / 1e9:.1f} GB", "at most 24 GB",
        more["peak_bytes"] < 24e9)
    row("the same: the first checkpoint, which has to write all",
        f"{first['seconds'] / first['count']:.0f} s, {first['bytes'] / first['count'] / 1e9:.2f} "
        f"GB")
    row("the same: the next one",
        f"{second['seconds'] / second['count']:.0f} s, "
        f"{second['bytes'] / second['count'] / 1e9:.2f} GB")
    row("the same: storing excerpts and records", f"{whole['times']['storing']['seconds']:.0f} s")
    passing = REAL * once + SAMPLE * seconds_an_excerpt(whole, "second_pass")
    saving = first["seconds"] / first["count"] / CHECKPOINT_EVERY
    hours = (passing * (1 + saving) + whole["times"]["storing"]["seconds"]) / 3600
    row(f"the same: both passes, a checkpoint like the first each {CHECKPOINT_EVERY} s, storing",
        f"{hours:.1f} hours")
