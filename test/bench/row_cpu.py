"""CPU per request of `glia batch` against a bare libuv + libcurl loop: the same bodies, the same
server."""
from common import BENCH, QUICK, Place, Server, batch, client, ratio, row

COUNT = 10_000 if QUICK else 30_000
with Place() as place, Server(place) as server:
    requests = place.requests(COUNT)
    bare, own = [], []
    # in turns, so that a slow moment hits both; the least of three is what it costs
    for turn in range(3):
        bare.append(client(BENCH / "bench_bare", server.chat, requests, 64).cpu / COUNT)
        own.append(batch(place, requests, server.url, f"out-{turn}").cpu / COUNT)
    value = min(own) / min(bare)
    row(f"CPU per request of `glia batch`, 64 in flight, against a bare libuv + libcurl loop "
        f"({min(bare) * 1e6:.0f} us)",
        ratio(value), "at most 3.0", value <= 3)
