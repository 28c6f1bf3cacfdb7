"""Requests per second of `glia batch` (its whole life, start and stop included) against asyncio clients."""
import pathlib
import sys

from common import BENCH, QUICK, Place, Server, batch, client, lag_p99, ratio, row

COUNT = 10_000 if QUICK else 100_000
CLIENTS = [
    ("aiohttp", 64, 20_000, 4, "python3-aiohttp, one session, 64 in flight"),
    ("httpx", 64, 4_000, 20, "python3-httpx, one shared client, 64 in flight"),
    ("httpx-new", 10, 300, 200, "python3-httpx, a new client a request, 10 at a time"),
]


def rate_of(kind, url, requests, count, concurrency):
    script = pathlib.Path(__file__).with_name("clients.py")
    return float(client(sys.executable, script, kind, url, requests, count, concurrency).out)


with Place() as place, Server(place) as server:
    requests = place.requests(COUNT)
    ceiling = float(client(BENCH / "bench_load", server.port, 10 * COUNT, 64, 4096).out)
    bare = float(client(BENCH / "bench_bare", server.chat, requests, 64).out)
    batch(place, requests, server.url, "narrow")
    own = COUNT / batch(place, requests, server.url, "narrow-again").wall
    row("ceiling of the benchmark server (bench_load, 64 connections) against `glia batch`", ratio(ceiling / own),
        "above 1", ceiling > own)
    row(f"requests/s of `glia batch`, 64 in flight ({own:.0f}/s), against the bare loop", ratio(own / bare))
    for kind, concurrency, count, least, what in CLIENTS:
        theirs = rate_of(kind, server.chat, requests, count // 4 if QUICK else count, concurrency)
        row(f"requests/s of `glia batch`, 64 in flight, against {what} ({theirs:.0f}/s)", ratio(own / theirs),
            f"at least {least}", own / theirs >= least)
    wide = COUNT / batch(place, requests, server.url, "wide", 256).wall
    row("requests/s at 256 in flight against 64", ratio(wide / own), "at least 0.7", wide / own >= 0.7)
    for name, what in (("narrow-again", 64), ("wide", 256)):
        lag = lag_p99(place, name)
        row(f"loop lag p99 at {what} in flight", f"{lag:.1f} ms", "below 10 ms", lag < 10)
