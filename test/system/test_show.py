"""glia show: the card of a neuron or puzzle from a run, before, while and after it is explained."""
import json
import os
import pty
import re
import subprocess

import pytest

from conftest import BY_WORLD, DEADLINE, FORMATS, GLIA

# What a terminal would act on: an escape sequence, one that begins with a single C1 character, and
# one that turns around what follows.
HOSTILE = "\x1b[2J\u009b31m\u202e"
RAW = r"[\x1b\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"


def neuron(layer, index):
    record = {"tokens": ["red", HOSTILE, "\n", " blue"], "activations": [0.5, 0, 0, 4.5]}
    return json.dumps({"neuron_id": {"layer_index": layer, "neuron_index": index},
                       "most_positive_activation_records": [record] * 20,
                       "random_sample": [record] * 15,
                       "quantile_boundaries": [0.1, 0.2, 0.3, 0.4], "mean": 0.125, "variance": 2,
                       "skewness": None, "kurtosis": 7})


def bare(name):
    return json.dumps({"id": name, "records": [{"tokens": ["a", " b"], "activations": [0, 2]}],
                       "score_records": [{"tokens": ["c", " d"], "activations": [0, 3]}]})


@pytest.fixture
def mixed(place):
    """A finished run over three sets: puzzles, neurons, and records of which one has a puzzle's
    name."""
    (place.path / "neurons.jsonl").write_text(neuron(5, 131) + "\n" + neuron(5, 7) + "\n")
    (place.path / "bare.jsonl").write_text(bare("instruments") + "\n" + bare("odd\x1b") + "\n")
    place.config(place.standin().url, limit=3, extra='[sets.gpt2]\nsource = "neurons.jsonl"\n'
                                                     '[sets.own]\nsource = "bare.jsonl"\n')
    place.run()
    return place


def test_cards_of_all_kinds(mixed):
    scores = [json.loads(line) for line in mixed.glia("export", "scores").out.splitlines()]
    for name, options in (("5:131", ()), ("instruments", ("--set", "puzzles")),
                          ("instruments", ("--set", "own"))):
        card = json.loads(mixed.glia("show", name, "--json", *options).out)
        mine = {row["format"]: row for row in scores if row["id"] == name
                and row["set"] == card["set"]}
        assert card["id"] == name and card["set"] == (options[1] if options else "gpt2")
        assert [e["format"] for e in card["explanations"]] == FORMATS
        for said in card["explanations"]:
            assert said["text"] == mine[said["format"]]["explanation"]
            assert said["score"] == mine[said["format"]]["score"]
            assert said["adacs"] == mine[said["format"]]["adacs"]
    text = mixed.glia("show", "5:131", "--top", 2).out
    assert "mean 0.125, variance 2, kurtosis 7" in text and "0.999 at 0.4" in text
    assert text.count("[red]") == 4 and text.count("[ blue]") == 4 and "\ntop, 2 of 20\n" in text
    assert mixed.glia("show", "05:0131").out == mixed.glia("show", "5:131").out
    assert "also in (--set NAME)" in mixed.glia("show", "instruments").out


def test_nothing_raw_reaches_a_terminal(mixed):
    """Neither into a pipe nor on a terminal, where the colours are the only escape sequences."""
    for options in ((), ("--json",)):
        out = mixed.glia("show", "5:131", *options).out
        assert not re.search(RAW + r"|[\x00-\x09\x0b-\x1f]", out)
    text = on_terminal(mixed, "show", "5:131")
    assert "\x1b[38;5;16;48;5;196m blue\x1b[0m" in text and \
        "\\x1B[2J\\xC2\\x9B31m\\xE2\\x80\\xAE" in text
    assert not re.search(RAW, re.sub(r"\x1b\[(38;5;16;48;5;\d+|0)m", "", text))
    # Files keep what was said; a terminal gets the same JSON, with what would steer it escaped.
    kept = mixed.glia("export", "records", "--set", "gpt2", "--format", "jsonl").out
    text = on_terminal(mixed, "export", "records", "--set", "gpt2", "--format", "jsonl")
    assert re.search(RAW, kept) and not re.search(RAW, text)
    assert [json.loads(line) for line in kept.splitlines()] == \
        [json.loads(line) for line in text.splitlines()]


def on_terminal(place, *arguments):
    """What a command writes when its standard output is a terminal."""
    ours, theirs = pty.openpty()
    with subprocess.Popen([str(GLIA), *arguments], cwd=place.path, stdout=theirs,
                          stdin=subprocess.DEVNULL,
                          env={**{k: v for k, v in place.env.items() if k != "NO_COLOR"},
                               "TERM": "xterm"}) as program:
        os.close(theirs)
        said = b""
        try:
            while part := os.read(ours, 65536):
                said += part
        except OSError:  # the other side is closed
            pass
        os.close(ours)
        assert program.wait(DEADLINE) == 0
    return said.decode()


def test_before_any_explanation(place):
    standin = place.standin()
    place.config(standin.url, limit=1)
    standin.faults(quota=1)
    place.run(code=BY_WORLD)
    name = "instruments"
    card = json.loads(place.glia("show", name, "--json").out)
    assert {e["explained"] for e in card["explanations"]} == {"missing"} and \
        len(card["explanations"]) == len(FORMATS)
    assert card["groups"] and "musical" in card["baseline"]
    text = place.glia("show", name).out
    assert f"explanations, 0 of {len(FORMATS)} so far" in text and "to explain from, 3 of" in text
    standin.faults()
    place.run()
    assert f"explanations, {len(FORMATS)} of {len(FORMATS)} so far" in place.glia("show", name).out


def test_what_is_not_there(mixed):
    assert 'did you mean "instruments"?' in mixed.refused("show", "instrumnets")
    assert 'did you mean "5:131"?' in mixed.refused("show", "5:130")
    assert 'did you mean "gpt2"?' in mixed.refused("show", "5:131", "--set", "gpt3")
    assert "in set puzzles" in mixed.refused("show", "5:131", "--set", "puzzles")
    assert 'did you mean "odd\\x1B"?' in mixed.refused("show", "oddd")
    for top in ("0", "-1", "many", "5000"):
        assert "--top" in mixed.refused("show", "5:131", "--top=" + top)
    assert "no run" in mixed.refused("show", "5:131", "--run", "other")
