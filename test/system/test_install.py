"""`make install` gives a program that needs nothing of the repository."""
import os
import subprocess

import pytest
from conftest import BUILD, ROOT


@pytest.fixture
def installed(place):
    """The directory of the installed programs. Nothing is rebuilt: `install` is asked for what is
    there."""
    made = subprocess.run(["make", "-C", str(ROOT), f"BUILD={BUILD}", f"PREFIX={place.path}/usr",
                           "-o", "all", "install"], capture_output=True, timeout=600)
    assert made.returncode == 0, made.stderr.decode()
    return place.path / "usr" / "bin"


@pytest.mark.long  # the default config, which test_run.py has too
def test_runs_from_anywhere(place, installed):
    assert {path.name for path in installed.iterdir()} >= {"glia", "glia-standin"}
    for program in ("glia", "glia-standin"):
        assert os.access(installed / program, os.X_OK)
    env = {**place.env, "PATH": "/usr/bin:/bin", "HOME": str(place.path)}
    store = str(place.path / "there")

    def glia(*arguments):
        done = subprocess.run([str(installed / "glia"), *arguments], cwd="/", env=env,
                              capture_output=True, timeout=300)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    glia("--version")
    glia("run", "--quiet", "--store", store, "--set", "sets.puzzles.limit=1", "--set",
         "sets.learned.limit=1")
    report = glia("report", "--store", store)
    assert "highlight_summary" in report
    glia("fsck", "--store", store)
    assert not os.path.exists("/glia-store")


def test_names_no_file_of_the_repository(installed):
    """No path of the source tree is opened or told: what the programs need is inside them."""
    for program in ("glia", "glia-standin"):
        content = (installed / program).read_bytes()
        assert b"prompts/puzzles.json" in content or program == "glia-standin"
        assert str(ROOT / "prompts").encode() not in content
