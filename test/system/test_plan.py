"""`glia plan` only reads: beside a live run, where nothing can be written, and where there is no
store."""
import os
import shutil
import subprocess
import tempfile

import pytest
from conftest import DONE, GLIA, USAGE, WITH_FAILURES, bill_holds, loads, start_sweep

SLOW = ("--latency", "fixed:100")


def requests_of(plan):
    return sum(stage["requests"] for stage in plan["stages"])


def plan_of(place, *options):
    return loads(place.glia("plan", "--json", *options).out)


def contents(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.mark.threads
def test_beside_a_live_run(place, undisturbed):
    expected = undisturbed()
    standin = place.standin(*SLOW)
    place.config(standin.url, endpoint="concurrency = 2")
    before = plan_of(place)
    glia = start_sweep(place, standin, 6)
    plan = plan_of(place)
    other = plan_of(place, "--run", "other", "--set", "explain.samples=2")
    assert glia.running(), "the run ended before it was planned beside it"
    assert 0 < requests_of(plan) < requests_of(before)
    assert 0 < plan["expected_usd"] < before["expected_usd"]
    assert plan["explanations"] == before["explanations"]
    assert all(stage["done"] <= stage["jobs"] for stage in plan["stages"])
    assert other["explanations"] == 2 * before["explanations"]
    glia.wait(DONE)
    assert place.results() == expected
    assert standin.asked_again() == 0
    bill_holds(place, standin)
    assert "other" in place.refused("status", "--run", "other")
    assert requests_of(plan_of(place)) == 0
    place.fsck()


def test_leaves_the_store_as_it_was(place):
    standin = place.standin()
    place.config(standin.url)
    place.run()
    before = contents(place.path / "store")
    assert requests_of(plan_of(place, "--run", "other", "--set", "sets.puzzles.limit=4")) > 0
    after = contents(place.path / "store")
    assert {**after, "lock.mdb": b""} == {**before, "lock.mdb": b""}


def test_no_store_leaves_nothing(place):
    place.config("http://127.0.0.1:9/v1")
    before = sorted(path.name for path in place.path.iterdir())
    assert requests_of(plan_of(place)) > 0
    assert sorted(path.name for path in place.path.iterdir()) == before


@pytest.fixture
def read_only_disk(place):
    """A function that makes the disk at place.path/disk read-only."""
    disk = place.path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("a file system can only be mounted by root")
    yield lambda: subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    place.close()
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_on_a_read_only_disk(place, read_only_disk):
    standin = place.standin()
    place.config(standin.url, store="disk/store")
    place.run()
    read_only_disk()
    assert requests_of(plan_of(place)) == 0
    assert requests_of(plan_of(place, "--set", "explain.samples=2")) > 0
    assert place.status()["state"] == "done"


def test_without_permission_to_write(place):
    """root may write everywhere, and is nobody here."""
    standin = place.standin()
    with tempfile.TemporaryDirectory() as directory:
        place.config(standin.url, store=f"{directory}/store")
        place.run()
        shutil.copy(place.path / "config.toml", directory)
        os.chmod(directory, 0o555)
        for name in os.listdir(f"{directory}/store"):
            os.chmod(f"{directory}/store/{name}", 0o444)
        os.chmod(f"{directory}/store", 0o555)

        def as_nobody(*arguments, code=DONE):
            nobody = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == \
                0 else {}
            command = [str(GLIA), *arguments, "-c", f"{directory}/config.toml"]
            try:
                done = subprocess.run(command, cwd="/", env=place.env, capture_output=True,
                                      timeout=60, **nobody)
            except PermissionError:
                pytest.skip(f"{GLIA} may not be run by others")
            assert done.returncode == code, done.stderr.decode()
            return done.stdout

        try:
            assert requests_of(loads(as_nobody("plan", "--json"))) == 0
            state = loads(as_nobody("status", "--json"))
            assert state["state"] == "done" and not state["live"]
            as_nobody("run", "--quiet", code=USAGE)
        finally:
            os.chmod(f"{directory}/store", 0o755)
            os.chmod(directory, 0o755)


def test_promises_nothing_that_failed_for_good(place):
    """Nor what only such a job would lead to. What trying again costs: nothing here, since the
    answers are stored."""
    standin = place.standin("--seed", "5", "--latency", "fixed:20")
    place.config(standin.url, mode="repeat", endpoint="concurrency = 2")
    glia = start_sweep(place, standin, 6)
    standin.faults(bad_type=0.4, count=6)
    glia.wait(WITH_FAILURES)
    plan = plan_of(place)
    failed = {stage["stage"]: stage["failed"] for stage in plan["stages"] if stage["failed"]}
    assert requests_of(plan) == 0 and plan["expected_usd"] == 0
    assert sum(failed.values()) == plan["retry_failed"]["jobs"] > 0
    assert plan["retry_failed"]["requests"] == 0
    said = place.glia("plan").out
    assert f"{plan['retry_failed']['jobs']} jobs failed for good" in said and \
        "--retry-failed" in said
    before = len(standin.bills())
    place.run(code=WITH_FAILURES)
    place.run("--retry-failed", code=WITH_FAILURES)
    assert len(standin.bills()) == before
    place.fsck()
