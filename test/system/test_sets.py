"""Neuron sets: drawn, named where something is missing, frozen for the run, exported and taken up
again."""
import json

import pytest

LAYERS = {0: 6, 1: 6, 2: 1, 4: 6}  # layer 3 has none, layer 2 too few
WORDS = ["red", "seven", "paris", "green", "money", "rain"]


def neuron(layer, index):
    word = f" {WORDS[(layer + index) % len(WORDS)]}"
    other = [f" w{i}" for i in range(9)]
    record = {"tokens": [*other[:4], word, *other[4:]],
              "activations": [0, 0, 0.1, 0, 6, 0, 0, 0.2, 0, 0]}
    flat = {"tokens": other, "activations": [0.1, 0, 0, 0.3, 0, 0, 0, 0, 0]}
    return {"neuron_id": {"layer_index": layer, "neuron_index": index},
            "quantile_boundaries": [0.1, 1, 3, 5],
            "most_positive_activation_records": [record] * 20, "random_sample": [flat] * 15}


@pytest.fixture
def world(place):
    names = [(layer, index) for layer, count in LAYERS.items() for index in range(count)]
    (place.path / "n.jsonl").write_text("".join(json.dumps(neuron(*name)) + "\n" for name in names))
    rows = [f"{layer},{index},{0.1 + index / 10:.2f},baseline {layer} {index}"
            for layer, index in names]
    (place.path / "b.csv").write_text("layer,neuron,score,explanation\n" + "\n".join(rows) + "\n")
    standin = place.standin()
    sets = '[sets.random]\nsource = "store:n"\nselect = "random"\nper_layer = 3\n' \
           'baseline = "b"\nformats = ["summary"]\n' \
           '[sets.good]\nsource = "store:n"\nselect = "random_interpretable"\nper_layer = 2\n' \
           'baseline = "b"\nsamples = 2\nformats = ["highlight"]\n' \
           '[sets.top]\nsource = "store:n"\nselect = "top"\ncount = 4\nbaseline = "b"\n'
    place.config(standin.url, limit=1, formats=["original", "summary"], mode=None, extra=sets)
    place.glia("import", "neurons", "n.jsonl", "--set", "n")
    place.glia("import", "explanations", "b.csv", "--as", "b")
    return place


def listed(place, name, *options):
    return [(row["layer"], row["neuron"]) for row
            in map(json.loads, place.glia("export", "set", name, *options).out.splitlines())]


def test_several_sets_in_one_sweep(world):
    plan = world.glia("plan").out
    assert "set random: 10 neurons of store:n (random, 3 a layer), layers 0-4; " \
        "NONE of layer 3; too few of layer 2 (1 of 3)" in plan
    drawn = listed(world, "random", "--draw")
    world.run()
    assert listed(world, "random") == drawn and len(drawn) == 10
    assert listed(world, "top") == [(0, 5), (1, 5), (4, 5), (0, 4)]
    good = [json.loads(line) for line in world.glia("export", "set", "good").out.splitlines()]
    assert len(good) == 6 and all(row["score"] >= 0.35 for row in good)
    lines = [json.loads(line) for line in world.glia("export", "explanations").out.splitlines()]
    counts = {name: sum(line["set"] == name for line in lines)
              for name in ("puzzles", "random", "good", "top")}
    assert counts == {"puzzles": 2, "random": 10, "good": 12, "top": 8}
    assert all(line["baseline"] == f"baseline {line['layer']} {line['neuron']}" for line in lines
               if line["set"] != "puzzles")
    tables = {table["key"]: table
              for table in json.loads(world.glia("report", "--json").out)["results"]}
    rows = {row["set"]: row for row in tables["sets"]["rows"]}
    assert rows["random"]["lacking"] == "3" and rows["random"]["short"] == "2 (1 of 3)" and \
        rows["puzzles"]["layers"] is None
    world.fsck()


def test_a_drawn_set_stays(world):
    world.run()
    before = listed(world, "random")
    more = [neuron(layer, index) for layer in (0, 1, 4) for index in range(6, 60)]
    (world.path / "more.jsonl").write_text("".join(json.dumps(record) + "\n" for record in more))
    world.glia("import", "neurons", "more.jsonl", "--set", "n")
    world.run()
    assert listed(world, "random") == before
    assert listed(world, "random", "--draw") != before
    seeded = ["--set", "run.seed=2", "--run", "other"]
    world.run(*seeded)
    assert listed(world, "random") != before
    world.fsck()


def test_missing_neurons_are_named(world):
    with open(world.path / "b2.csv", "w") as file:
        file.write("layer,neuron,score,explanation\n7,1,0.99,nobody\n")
    world.glia("import", "explanations", "b2.csv", "--as", "b")
    said = world.refused("run", "--quiet")
    assert "sets.good: 1 of 7 neurons have no record in store:n (7:1)" in said
    assert (7, 1) in listed(world, "good", "--draw")


def test_lists(world):
    world.run()
    for form in ("jsonl", "csv"):
        world.glia("export", "set", "top", "--format", form, "--out", f"list.{form}")
        listing = ["--set", 'sets.random.select="list"', "--set", f'sets.random.list="list.{form}"',
                   "--run", form]
        world.run(*listing)
        assert listed(world, "random", "--run", form) == listed(world, "top")
    (world.path / "bad.csv").write_text("layer,neuron\n0,1\nx,2\n")
    said = world.refused("run", "--quiet", "--set", 'sets.random.select="list"', "--set",
                         'sets.random.list="bad.csv"')
    assert "sets.random.list" in said and "bad.csv:3" in said
    assert "sets.random.list" in world.refused("run", "--quiet", "--set",
                                               'sets.random.select="list"')
    assert "sets.puzzles.count" in world.refused("run", "--quiet", "--set", "sets.puzzles.count=3")


def test_baselines_from_another_run(world):
    world.run()
    said = json.loads(world.glia("import", "explanations", "run:default/highlight", "--as", "own",
                                 "--json").out)
    assert said["count"] == 6
    said = world.refused("import", "explanations", "run:default/avhs", "--as", "own")
    assert "avhs" in said
    assert "nobody" in world.refused("import", "explanations", "run:nobody", "--as", "own")
    world.run("--run", "second", "--set", 'sets.good.baseline="own"', "--set",
              'sets.good.select="all"')
    lines = [json.loads(line)
             for line in world.glia("export", "explanations", "--set", "good").out.splitlines()]
    assert len({(line["layer"], line["neuron"]) for line in lines if line["baseline"]}) == 6
