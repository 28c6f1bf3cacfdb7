"""`glia prompts`: the exact words, for every form of records."""
import json

import pytest
from conftest import FORMATS, SHARED

PUZZLES = SHARED / "puzzles.json"
BODIES = SHARED / "reference" / "puzzle_bodies.json"
SET = {"id": "pets",
       "records": [{"tokens": [" the", " cat", " sat"], "activations": [0.0, 5.0, 1.5]},
                   {"tokens": ["a", "\tdog", "\n"], "activations": [0.5, 10.0, 0.0]}]}


def prompts(place, *options):
    return [json.loads(line) for line in place.glia("prompts", "--json", *options).out.splitlines()]


def written(place, name, *entries, lines=False):
    text = "".join(json.dumps(entry) + "\n" for entry in entries) if lines else json.dumps(entries)
    (place.path / name).write_text(text)
    return name


@pytest.mark.skipif(not BODIES.exists(), reason="../shared/data is absent")
@pytest.mark.parametrize("form", FORMATS)
def test_bodies_of_public_puzzles(place, form):
    """The blocks of records that the shipped templates make are the published ones, byte for
    byte."""
    reference = json.loads(BODIES.read_text())
    said = prompts(place, "--records", PUZZLES, "--prompt", form)
    assert [line["id"] for line in said] == [entry["id"] for entry in reference]
    for line, entry in zip(said, reference):
        body = entry["bodies"][form]
        assert line["body"] == (body["all"] if form == "original" else body), line["id"]
        assert line["body"] in line["messages"][-1]["content"]


def test_layouts(place):
    name = written(place, "set.json", SET)
    body = {form: prompts(place, "--records", name, "--prompt", form)[0]["body"]
            for form in FORMATS}
    assert " cat\t5" in body["original"] and " sat\t1" in body["original"] and \
        "\tdog\t10" in body["original"]
    assert "[ cat]" in body["highlight"] and "[ sat]" in body["highlight"] and \
        "[a]" not in body["highlight"]
    assert " cat, sat" in body["summary"] and "[" not in body["summary"]
    assert "[ cat]" in body["highlight_summary"] and " cat, sat" in body["highlight_summary"]
    assert "[ cat]" in body["avhs"] and " cat\t5" in body["avhs"]


def test_threshold(place):
    name = written(place, "set.json", SET)
    marked = prompts(place, "--records", name, "--prompt", "highlight", "--threshold",
                     "2")[0]["body"]
    assert "[ cat]" in marked and "[ sat]" not in marked
    own = written(place, "own.json", {**SET, "threshold": 6})
    marked = prompts(place, "--records", own, "--prompt", "highlight")[0]["body"]
    assert "[ cat]" not in marked and "[\tdog]" in marked
    marked = prompts(place, "--records", own, "--prompt", "highlight", "--threshold",
                     "0")[0]["body"]
    assert "[ cat]" in marked and "[a]" in marked
    place.refused("prompts", "--records", own, "--prompt", "highlight", "--threshold", "high")


def test_json_and_lines_say_the_same(place):
    entries = [SET, {**SET, "id": "more"}]
    a, b = written(place, "a.json", *entries), written(place, "b.jsonl", *entries, lines=True)
    for form in FORMATS:
        assert prompts(place, "--records", a, "--prompt",
                       form) == prompts(place, "--records", b, "--prompt", form)
    assert [line["id"] for line in prompts(place, "--records", a, "--prompt", "original")] == \
        ["pets", "more"]


def test_neuron_record(place):
    """Its train split is shown; the threshold is the 0.9 quantile boundary."""
    record = lambda n: {"dataclass_name": "ActivationRecord", "tokens": [f" t{n}", f" u{n}"],
                        "activations": [float(20 - n), 0.5]}
    neuron = {"dataclass_name": "NeuronRecord",
              "neuron_id": {"dataclass_name": "NeuronId", "layer_index": 5, "neuron_index": 131},
              "most_positive_activation_records": [record(n) for n in range(20)],
              "random_sample": [record(n) for n in range(50, 65)],
              "random_sample_by_quantile": [[], [], [], [], []],
              "quantile_boundaries": [None, 0.1, 0.4, 2.0, 3.0, None], "mean": 0.1, "variance": 1.0,
              "skewness": float("nan"), "kurtosis": 3.0}
    (place.path / "n.json").write_text(json.dumps(neuron))
    line, = prompts(place, "--records", "n.json", "--prompt", "highlight")
    assert line["id"] == "5:131"
    shown = [n for n in range(65) if f" t{n}]" in line["body"] or f" t{n} " in line["body"]]
    assert shown == [0, 4, 8, 12, 16]
    assert "[ u0]" in line["body"]
    line, = prompts(place, "--records", "n.json", "--prompt", "highlight", "--threshold", "1")
    assert "[ u0]" not in line["body"] and "[ t0]" in line["body"]


def test_what_a_run_sent(place):
    """--neuron shows the very messages that a run sent."""
    standin = place.standin()
    relay = place.relay(standin.port)
    place.config(relay.url, limit=1, formats=["summary"], mode=None, adacs=False)
    place.run()
    name = json.loads(place.glia("export", "explanations").out)["id"]
    line, = prompts(place, "--neuron", name, "--prompt", "summary")
    sent = [json.loads(arrival.body)["messages"] for arrival in relay.arrivals]
    assert line["messages"] in sent


def test_text_for_people(place):
    name = written(place, "set.json", SET)
    said = place.glia("prompts", "--records", name, "--prompt", "original").out
    assert "===== pets (threshold 1)" in said and "----- system" in said and "----- user" in said
