"""Recording: a corpus of any kind gives the same recording for the same documents; a bad one is one
clear line; a live recording is seen by `glia status`."""
import gzip
import json
import random
import signal
import struct
import subprocess

import pytest

from conftest import DEADLINE, GLIA, INTERRUPTED, loads, wait_until
from test_record import recorder, under_way  # noqa: F401 (a fixture)

WORDS = "red blue seven eleven sea stone a the of and why not, naïve\n".split(" ")


def zstd(content):
    """A frame of raw blocks: no packer is needed to write one."""
    blocks = [content[at:at + 100000] for at in range(0, len(content), 100000)]
    frame = struct.pack("<IBB", 0xFD2FB528, 0, 0x58)  # a window of 2 MB
    for i, block in enumerate(blocks):
        frame += ((len(block) << 3) | (i == len(blocks) - 1)).to_bytes(3, "little") + block
    return frame


def documents():
    rng = random.Random(3)
    return [" ".join(rng.choice(WORDS) for _ in range(400)) for _ in range(3)]


def corpus(place, *paths):
    return "--set", f"subject.corpus={json.dumps(list(paths))}", "--set", "record.excerpts=100"


def record(place, *options, code=0, given=None):
    done = subprocess.run([str(GLIA), "record", "--quiet", "--json", *options], cwd=place.path,
                          env=place.env, timeout=DEADLINE,
                          input=given, stdin=None if given is not None else subprocess.DEVNULL,
                          capture_output=True)
    assert done.returncode == code, done.stderr.decode()
    return loads(done.stdout) if code == 0 else done.stderr.decode()


def test_corpora_of_every_kind(recorder):
    texts = documents()
    lines = "".join(json.dumps({"n": i, "body": text}, ensure_ascii=i % 2 == 0) + "\n"
                    for i, text in enumerate(texts))
    path = recorder.path
    (path / "tree" / "b").mkdir(parents=True)
    (path / "tree" / "a").write_text(texts[0])
    (path / "tree" / "b" / "one.txt").write_text(texts[1])
    (path / "tree" / "c.txt.gz").write_bytes(gzip.compress(texts[2].encode()))
    (path / "tree" / ".hidden").write_text("not read")
    (path / "lines.jsonl").write_text(lines)
    (path / "lines.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    (path / "lines.jsonl.zst").write_bytes(zstd(lines.encode()))
    field = ("--set", 'subject.text_field="body"')
    first = record(recorder, *corpus(recorder, "tree"))
    assert first["recorded"]
    for paths in (["lines.jsonl"], ["lines.jsonl.gz"], ["lines.jsonl.zst"],
                  ["tree/a", "tree/b", "tree/c.txt.gz"]):
        again = record(recorder, *corpus(recorder, *paths), *field)
        assert again["recording"] == first["recording"] and not again["recorded"], paths
    for given in (texts[2].encode(), gzip.compress(texts[2].encode()), zstd(texts[2].encode())):
        again = record(recorder, *corpus(recorder, "tree/a", "tree/b", "-"), given=given)
        assert again["recording"] == first["recording"], given[:4]
    recorder.fsck()


@pytest.mark.parametrize("name, content, words", [
    ("cut.gz", gzip.compress(b"a text that was cut " * 500)[:-20], "cut.gz"),
    ("cut.zst", zstd(b"a text that was cut " * 500)[:-20], "cut.zst"),
    ("notzip.gz", b"no gzip at all", "notzip.gz"),
    ("field.jsonl", b'{"text": "there is some"}\n{"body": "but not here"}\n', "field.jsonl:2"),
    ("broken.jsonl", b'{"text": "there is some"}\n{"text": \n', "broken.jsonl:2"),
    ("pages.parquet", b"PAR1", "pages.parquet"),
    ("none", None, "none"),
    ("empty.txt", b"", "empty"),
    ("fifteen.txt", b"fifteen bytes..", "fifteen.txt: 15 tokens, and an excerpt has 16"),
])
def test_bad_corpus_is_named(recorder, name, content, words):
    if content is not None:
        (recorder.path / name).write_bytes(content)
    said = recorder.refused("record", *corpus(recorder, name))
    assert "subject.corpus" in said and words in said, said


def test_nothing_on_standard_input(recorder):
    said = record(recorder, *corpus(recorder, "-"), code=2, given=b"")
    assert said.count("\n") == 1 and "subject.corpus" in said and "-" in said, said


def test_status_of_a_recording(recorder):
    """While it is live, when it was stopped, when it is done."""
    long = ("--set", f"subject.corpus={json.dumps(['corpus.txt'] * 20)}", "--set",
            "record.excerpts=300000")
    program = recorder.start("record", "--quiet", "--json", "--workers", "1", *long)
    live = wait_until(lambda: not program.running() or under_way(recorder), "progress")
    assert live is not True, f"the recording was over before it was looked at:\n{program.err}"
    assert live["live"] and live["step"] == "first pass" and 0 < live["done"] <= live["total"] and \
        live["tokens_per_second"] > 0
    assert "tokens/s" in recorder.glia("status").out
    program.signal(signal.SIGINT)
    program.wait(INTERRUPTED)
    stopped = loads(recorder.glia("status", "--json").out)["recording"]
    assert not stopped["live"] and stopped["recording"] == live["recording"] and \
        stopped["total"] == live["total"]
    assert "the same command goes on" in recorder.glia("status").out
    recorder.glia("record", "--quiet", "--set", "record.excerpts=100")
    assert under_way(recorder) is None
    recorder.fsck()
