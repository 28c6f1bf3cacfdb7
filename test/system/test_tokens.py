"""`glia tokens`: text into the subject model's tokens, one JSON string a line."""
import json
import random
import subprocess

import pytest
from conftest import DEADLINE, DONE, GLIA, SHARED, USAGE

GPT2 = SHARED / "gpt2"
needs_gpt2 = pytest.mark.skipif(not GPT2.exists(), reason="../shared/data is absent")


def alphabet():
    """The character that stands for each byte in the files of GPT-2's tokenizer."""
    own = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in own]
    return {**{byte: chr(byte) for byte in own},
            **{byte: chr(256 + i) for i, byte in enumerate(others)}}


def tokenizer(directory, merges=("t h", "th e", "\u0120 the")):
    """A small one: bytes 0 to 255, then what the merges make."""
    directory.mkdir()
    names = [alphabet()[byte] for byte in range(256)] + \
        [merge.replace(" ", "") for merge in merges] + ["<|endoftext|>"]
    (directory / "vocab.json").write_text(json.dumps({name: i for i, name in enumerate(names)}))
    (directory / "merges.txt").write_text("#version: 0.2\n"
                                          + "".join(merge + "\n" for merge in merges))
    return directory


def tokens(place, *options, text, code=DONE):
    done = subprocess.run([str(GLIA), "tokens", *map(str, options)], cwd=place.path, env=place.env,
                          input=text.encode(), capture_output=True, timeout=DEADLINE)
    assert done.returncode == code, done.stderr.decode()
    return done.stdout.decode(), done.stderr.decode()


def lines(*texts):
    return "".join(json.dumps(text) + "\n" for text in texts)


@needs_gpt2
def test_cases_of_gpt2(place):
    cases = json.loads((GPT2 / "encode_cases.json").read_text())
    out, _ = tokens(place, "--subject", GPT2, "--json",
                    text=lines(*(case["text"] for case in cases)))
    assert [json.loads(line) for line in out.splitlines()] == \
        [{"text": case["text"], "ids": case["ids"]}
         for case in cases]


@needs_gpt2
def test_one_file_says_the_same_as_two(place):
    """tokenizer.json made of vocab.json and merges.txt, merges as strings and as pairs."""
    merges = (GPT2 / "merges.txt").read_text().split("\n")[1:-1]
    rest = {"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False}, "normalizer": None,
            "added_tokens": [{"id": 50256, "content": "<|endoftext|>", "special": True}]}
    texts = lines(*(case["text"] for case in json.loads((GPT2 / "encode_cases.json").read_text())))
    expected, _ = tokens(place, "--subject", GPT2, "--json", text=texts)
    for name, spelled in ("strings", merges), ("pairs", [merge.split(" ") for merge in merges]):
        (place.path / name).mkdir()
        model = {"type": "BPE", "vocab": json.loads((GPT2 / "vocab.json").read_text()),
                 "merges": spelled}
        (place.path / name / "tokenizer.json").write_text(json.dumps({**rest, "model": model}))
        assert tokens(place, "--subject", name, "--json", text=texts)[0] == expected


def test_needs_only_the_tokenizers_files(place):
    directory = tokenizer(place.path / "tiny")
    out, _ = tokens(place, "--subject", directory, "--json", text=lines("the the", "", "h\u00e9"))
    assert [json.loads(line) for line in out.splitlines()] == [
        {"text": "the the", "ids": [257, 258]}, {"text": "", "ids": []},
        {"text": "h\u00e9", "ids": [104, 195, 169]}]


def test_readable_form_shows_parts_of_characters_as_bytes(place):
    directory = tokenizer(place.path / "tiny")
    out, _ = tokens(place, "--subject", directory, text=lines(" the\n", "\u00e9"))
    assert out.splitlines() == ['258 " the"  10 "\\n"', '195 "\\xC3"  169 "\\xA9"']


def test_any_text_comes_back(place):
    directory = tokenizer(place.path / "tiny")
    rng = random.Random(7)
    texts = ["".join(chr(rng.choice([rng.randrange(1, 128), rng.randrange(0xA0, 0xD800),
                                     rng.randrange(0xE000, 0x110000)]))
                     for _ in range(rng.randrange(40))) for _ in range(300)] + \
                         ["a\0b", "\x85", "a\u2028b\u2029", "\u2028"]
    out, _ = tokens(place, "--subject", directory, "--json", text=lines(*texts))
    piece = {**{i: bytes([i]) for i in range(256)}, 256: b"th", 257: b"the", 258: b" the"}
    said = [json.loads(line) for line in out.splitlines()]
    assert [line["text"] for line in said] == texts
    assert [b"".join(piece[i] for i in line["ids"]).decode() for line in said] == texts


@pytest.mark.parametrize("bad", ["x", '"x', "7", '{"text": "a"}', '"\\ud800"', '"a" "b"'])
def test_bad_line_is_named(place, bad):
    directory = tokenizer(place.path / "tiny")
    out, err = tokens(place, "--subject", directory, "--json", text=f'"a"\n\n{bad}\n"b"\n',
                      code=USAGE)
    assert err.startswith("glia tokens: standard input:3:") and err.count("\n") == 1
    assert [json.loads(line)["text"] for line in out.splitlines()] == ["a"]


def test_bad_files_are_named(place):
    for name, spoil, what in [
            ("a", lambda path: (path / "merges.txt").unlink(), "a/merges.txt: is not there"),
            ("b", lambda path: (path / "vocab.json").write_text("{"), "b/vocab.json:1:"),
            ("c", lambda path: (path / "merges.txt").write_text("#version: 0.2\nt h\nq q\n"),
             "c/merges.txt: line 3"),
            ("d", lambda path: (path / "vocab.json").write_text('{"a": 0}'),
             "no token for the byte 0x00")]:
        spoil(tokenizer(place.path / name))
        _, err = tokens(place, "--subject", name, text="", code=USAGE)
        assert what in err and err.count("\n") == 1
    assert "nowhere" in place.refused("tokens", "--subject", "nowhere")


def test_shipped_subject_is_the_default(place):
    texts = lines("the cat", "\u00e9 <|endoftext|>")
    out, _ = tokens(place, "--json", text=texts)
    assert tokens(place, "--subject", "subject:", "--json", text=texts)[0] == out
    assert [json.loads(line)["text"] for line in out.splitlines()] == \
        ["the cat", "\u00e9 <|endoftext|>"]
