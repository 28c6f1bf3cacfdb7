"""How long `glia batch` takes on a store whose jobs are all done: looks at every line, asks
nothing.

The store is made by running the batch, with short bodies, against the benchmark server."""
from common import QUICK, Place, Server, batch, lag_p99, row

COUNT = 50_000 if QUICK else 1_000_000
with Place() as place, Server(place) as server:
    requests = place.requests(COUNT, size=400)
    made = batch(place, requests, server.url, "out", 256, "--set", "run.window=2048")
    before = server.stats()["requests"]
    again = batch(place, requests, server.url, "out", 256)
    if server.stats()["requests"] != before:
        raise SystemExit("something was asked again")
    row(f"start on a store with {COUNT:,} finished jobs", f"{again.wall:.1f} s", "at most 5 s",
        again.wall <= 5)
    row(f"(the store was made at {COUNT / made.wall:.0f} requests/s)", "", "")
