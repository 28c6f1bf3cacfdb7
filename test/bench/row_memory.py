"""Anonymous memory of `glia batch`: its peak over 100,000 requests, and against 10,000."""
import subprocess
import time

from common import QUICK, Place, Server, batch_arguments, environment, lag_p99, row

SMALL, LARGE = 10_000, 30_000 if QUICK else 100_000


def anonymous(pid):
    with open(f"/proc/{pid}/status") as status:
        for line in status:
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) / 1024
    return 0.0


def peak_of(place, server, count, name):
    """MB, looked at ten times a second while it runs."""
    arguments = [str(a) for a in batch_arguments(place.requests(count), server.url,
                                                 place.path / f"{name}.jsonl")]
    glia = subprocess.Popen(arguments, env=environment(), stdin=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)
    peak = 0.0
    while glia.poll() is None:
        try:
            peak = max(peak, anonymous(glia.pid))
        except (FileNotFoundError, ProcessLookupError):
            pass
        time.sleep(0.1)
    if glia.returncode != 0:
        raise SystemExit(f"exit {glia.returncode} of {arguments}")
    return peak


with Place() as place, Server(place) as server:
    small, large = peak_of(place, server, SMALL, "small"), peak_of(place, server, LARGE, "large")
    row(f"anonymous memory (RssAnon, peak) over {LARGE:,} requests", f"{large:.0f} MB",
        "at most 150 MB", large <= 150)
    row(f"the same against {SMALL:,} requests", f"{large / small:.2f}", "at most 1.10",
        large / small <= 1.1)
    lag = lag_p99(place, "large")
    row(f"loop lag p99 over {LARGE:,} requests", f"{lag:.1f} ms", "below 10 ms", lag < 10)
