"""Memory does not grow with the sweep: the anonymous memory of a run is set by its window."""
import re

import pytest
from conftest import DONE, wait_until

FORMATS = ["highlight", "summary"]


def peak_of(place, standin, name, samples):
    """The largest RssAnon, in kB, that was seen while a run of 56 x samples explanations went
    on."""
    config = place.config(standin.url, limit=0, formats=FORMATS, mode=None, samples=samples,
                          adacs=False, cap="50.00",
                          run='window = 64', store=f"store-{name}", name=f"{name}.toml")
    glia = place.start("run", "--quiet", "-c", config)
    peak = 0

    def over():
        nonlocal peak
        try:
            with open(f"/proc/{glia.process.pid}/status", encoding="ascii") as status:
                found = re.search(r"RssAnon:\s+(\d+) kB", status.read())
        except OSError:
            found = None
        peak = max(peak, int(found.group(1)) if found else 0)
        return not glia.running()

    wait_until(over, "the run to end", 240)
    glia.wait(DONE)
    return peak


@pytest.mark.long
def test_memory_does_not_grow_with_the_sweep(place):
    standin = place.standin()
    small = peak_of(place, standin, "small", 5)
    large = peak_of(place, standin, "large", 100)
    assert len(standin.bills()) >= 56 * 105
    assert small > 0
    assert large <= small * 1.25 + 2048, f"{small} kB for 280 jobs, {large} kB for 5,600"
