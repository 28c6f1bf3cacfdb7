"""Requests per second of `glia batch` (its whole life, start and stop included) against asyncio
clients."""
import pathlib
import sys

from common import BENCH, QUICK, Place, Server, batch, client, lag_p99, ratio, row

COUNT = 10_000 if QUICK else 100_000
TURNS = 1 if QUICK else 3
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
    best, lag = {}, {}

    def keep(name, rate):
        best[name] = max(rate, best.get(name, 0))

    # in turns, so that a slow moment hits all; the best of three is what each can do
    for turn in range(TURNS):
        keep("bare", float(client(BENCH / "bench_bare", server.chat, requests, 64).out))
        for concurrency in (64, 256):
            keep(concurrency, COUNT / batch(place, requests, server.url, "out", concurrency).wall)
            lag[concurrency] = min(lag_p99(place, "out"), lag.get(concurrency, 1000))
            place.drop("out.jsonl.glia")
            (place.path / "out.jsonl").unlink()
        for kind, concurrency, count, least, what in CLIENTS:
            keep(kind,
                 rate_of(kind, server.chat, requests, count // 4 if QUICK else count, concurrency))
    own = best[64]
    row("ceiling of the benchmark server (bench_load, 64 connections) against `glia batch`",
        ratio(ceiling / own), "above 1", ceiling > own)
    row(f"requests/s of `glia batch`, 64 in flight ({own:.0f}/s), against the bare loop",
        ratio(own / best["bare"]))
    for kind, concurrency, count, least, what in CLIENTS:
        row(f"requests/s of `glia batch`, 64 in flight, against {what} ({best[kind]:.0f}/s)",
            ratio(own / best[kind]), f"at least {least}", own / best[kind] >= least)
    row("requests/s at 256 in flight against 64", ratio(best[256] / own), "at least 0.7",
        best[256] / own >= 0.7)
    for concurrency in (64, 256):
        row(f"loop lag p99 at {concurrency} in flight", f"{lag[concurrency]:.1f} ms", "below 10 ms",
            lag[concurrency] < 10)
