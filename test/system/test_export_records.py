"""Records as files: out of one store, into another and out again they are the same bytes; what has
no file is refused."""
import json

import pytest

from conftest import loads

NEURONS = [(0, 3), (0, 17), (1, 5)]
FILES = [f"{layer}/{index}.json" for layer, index in NEURONS]


def config(place, standin, sets, store="store"):
    """A run that asks a question or two of each set, of the shipped subject where it records."""
    place.config(standin.url, formats=["original"], mode=None, limit=1, adacs=False, store=store,
                 extra=f"""
[subject]
model = "subject:"
corpus = ["corpus:"]
[record]
excerpts = 300
neurons = {[f"{layer}:{index}" for layer, index in NEURONS]}
""" + sets)


@pytest.fixture
def recorded(place):
    """A place with a store that holds a run about three recorded neurons, and puzzles; its
    stand-in."""
    standin = place.standin()
    config(place, standin, '[sets.learned]\nsource = "record:"\n')
    place.run()
    return place, standin


def files(directory):
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*")
            if path.is_file()}


def test_round_trip(recorded):
    place, standin = recorded
    said = place.glia("export", "records", "--set", "learned", "--out", "first")
    assert said.out == ""
    first = files(place.path / "first")
    assert sorted(first) == sorted(FILES)

    place.glia("import", "neurons", "first", "--set", "copy", "--store", "other")
    config(place, standin, '[sets.copied]\nsource = "store:copy"\n', store="other")
    place.run()
    place.glia("export", "records", "--set", "copied", "--out", "second/")
    assert files(place.path / "second") == first
    place.fsck()


def named(value):
    """The class names of all objects in it."""
    if isinstance(value, dict):
        yield value["dataclass_name"]
    for inner in value.values() if isinstance(value,
                                              dict) else value if isinstance(value, list) else []:
        yield from named(inner)


def test_the_published_layout(recorded):
    """One file is one JSON value with the members of the published ones, and says what the line of
    it says."""
    place, _ = recorded
    place.glia("export", "records", "--set", "learned", "--format", "files", "--out", "out")
    place.glia("export", "records", "--set", "learned", "--out", "all.jsonl")
    lines = {}
    for line in (place.path / "all.jsonl").read_bytes().splitlines(keepends=True):
        name = loads(line)["neuron_id"]
        lines[f"{name['layer_index']}/{name['neuron_index']}.json"] = line
    assert files(place.path / "out") == lines
    for text in lines.values():
        record = loads(text)
        assert {"random_sample", "mean", "variance", "skewness", "kurtosis"} <= set(record)
        assert len(record["random_sample_by_quantile"]) == 5
        boundaries = record["quantile_boundaries"]
        assert len(boundaries) == 6 and boundaries[0] is None and boundaries[-1] is None
        assert set(named(record)) == {"NeuronRecord", "NeuronId", "ActivationRecord"}
        assert len(record["most_positive_activation_records"]) == 20


def test_a_directory_that_exists(recorded):
    """Files of the same names are replaced, others stay."""
    place, _ = recorded
    out = place.path / "out"
    (out / "0").mkdir(parents=True)
    (out / "0" / "3.json").write_text("old")
    (out / "0" / "4.json").write_text("of another run")
    place.glia("export", "records", "--set", "learned", "--out", "out")
    found = files(out)
    assert sorted(found) == sorted([*FILES, "0/4.json"])
    assert found["0/4.json"] == b"of another run" and \
        loads(found["0/3.json"])["neuron_id"]["neuron_index"] == 3


def test_what_cannot_be_written(recorded):
    place, _ = recorded
    said = place.refused("export", "records", "--out", "out")
    assert "set puzzles" in said and "--set" in said and not (place.path / "out").exists()
    (place.path / "file").write_text("mine")
    said = place.refused("export", "records", "--set", "learned", "--out", "file")
    assert "file" in said and "jsonl" in said and (place.path / "file").read_text() == "mine"
    (place.path / "mixed").mkdir()
    (place.path / "mixed" / "0").write_text("mine")
    assert "mixed/0" in place.refused("export", "records", "--set", "learned", "--out", "mixed")
    assert files(place.path / "mixed") == {"0": b"mine"}
    assert "nowhere" in place.refused("export", "records", "--set", "learned", "--out",
                                      "nowhere/out")
    assert "--out" in place.refused("export", "records", "--format", "files")
    assert "files" in place.refused("export", "records", "--format", "csv")
    assert "csv" in place.refused("export", "scores", "--format", "files", "--out", "out")


def test_sets_that_share_a_neuron(recorded):
    """The same record is one file, and what was exported is the same record to the last bit:
    records are told apart by their hashes. Of two records of one name neither is taken."""
    place, standin = recorded
    place.glia("export", "records", "--set", "learned", "--out", "first")
    changed = place.path / "changed"
    (changed / "1").mkdir(parents=True)
    record = json.loads((place.path / "first/1/5.json").read_text())
    (changed / "1" / "5.json").write_text(json.dumps({**record, "mean": 2.5}))
    place.glia("import", "neurons", "first", "--set", "same")
    place.glia("import", "neurons", "changed", "--set", "changed")
    sets = '[sets.a]\nsource = "record:"\n[sets.b]\nsource = "store:{}"\n'
    for other, code in (("same", 0), ("changed", 2)):
        config(place, standin, sets.format(other))
        text = (place.path / "config.toml").read_text()
        (place.path / "config.toml").write_text(
            text.replace('[sets.puzzles]\nsource = "puzzles:"\nlimit = 1\n', ""))
        place.run("--run", other)
        said = place.glia("export", "records", "--run", other, "--out", f"of-{other}", code=code)
        assert sorted(files(place.path / f"of-{other}")) == (sorted(FILES) if code == 0 else [])
        assert code == 0 or ("sets a and b" in said.err and "1:5" in said.err)
