"""A full disk is a pause: nothing that was paid is lost, and the run goes on when there is room."""
import os
import subprocess

import pytest
from conftest import BY_WORLD, bill_holds, wait_until


def mounted(*arguments):
    return subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode == 0


@pytest.fixture
def small_disk(place):
    """A function that gives the disk at place.path/disk so many kilobytes."""
    disk = place.path / "disk"
    disk.mkdir()
    if os.geteuid() != 0 or not mounted("-t", "tmpfs", "-o", "size=600k", "tmpfs", str(disk)):
        pytest.skip("a small file system can only be mounted by root")

    def resize(kilobytes):
        assert mounted("-o", f"remount,size={kilobytes}k", str(disk))

    yield resize
    place.close()
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_full_disk_is_waited_for(place, small_disk, undisturbed):
    """Room is made while the run waits."""
    expected = undisturbed()
    standin = place.standin()
    place.config(standin.url, store="disk/store", extra="")
    glia = place.start("run", "--set", "store.min_free_mb=1")
    wait_until(lambda: "free" in glia.err or not glia.running(), "the complaint about the disk")
    assert glia.running(), glia.err
    small_disk(100000)
    glia.wait(0)
    assert place.results() == expected
    assert standin.asked_again() == 0
    bill_holds(place, standin)
    place.fsck()


def test_full_disk_pauses(place, small_disk, undisturbed):
    """No room comes: the run leaves, and goes on later."""
    expected = undisturbed()
    standin = place.standin()
    place.config(standin.url, store="disk/store")
    said = place.run("--set", "store.min_free_mb=1", "--set", "run.outage_wait_minutes=0.02",
                     code=BY_WORLD).err
    assert "cannot be written" in said and "make room" in said
    small_disk(100000)
    place.run()
    assert place.results() == expected
    assert standin.asked_again() == 0
    bill_holds(place, standin)
    place.fsck()


def test_writes_that_fail_midway_lose_nothing(place, small_disk, undisturbed):
    """Without a reserve the disk fills up under the run: commits fail, answers are held."""
    expected = undisturbed()
    standin = place.standin()
    place.config(standin.url, store="disk/store")
    glia = place.start("run", "--set", "store.min_free_mb=0")
    wait_until(lambda: "cannot write to the store" in glia.err or not glia.running(),
               "the first failing commit")
    assert glia.running(), glia.err
    small_disk(100000)
    glia.wait(0)
    assert place.results() == expected
    assert standin.asked_again() == 0
    settled, doubts = bill_holds(place, standin)
    assert doubts == 0 and settled == standin.bill()
    place.fsck()
