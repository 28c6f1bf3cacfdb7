"""The corpus, classes and tokenizer of the default subject are what the committed generators
make."""
import json
import subprocess
import sys

from conftest import GLIA, ROOT

SUBJECT = ROOT / "tools" / "subject"


def make(program, *arguments):
    subprocess.run([sys.executable, ROOT / "tools" / "dev" / program, *arguments], check=True,
                   timeout=120)


def shipped_corpus():
    return subprocess.run(["zstd", "-dcq", SUBJECT / "corpus.jsonl.zst"], check=True,
                          capture_output=True, timeout=60).stdout


def test_corpus_classes_and_tokenizer_come_out_the_same(tmp_path):
    make("make_corpus.py", "--out", tmp_path, "--seed", "3", "--documents", "9000")
    assert (tmp_path / "corpus.jsonl").read_bytes() == shipped_corpus()
    make("make_corpus.py", "--out", tmp_path, "--classes")
    make("train_tokenizer.py", "--corpus", tmp_path / "corpus.jsonl", "--out", tmp_path, "--size",
         "1536")
    for name in ("classes.json", "vocab.json", "merges.txt"):
        assert (tmp_path / name).read_bytes() == (SUBJECT / name).read_bytes(), name


def test_another_seed_says_other_things(tmp_path):
    for seed in ("1", "2"):
        make("make_corpus.py", "--out", tmp_path, "--seed", seed, "--documents", "20", "--name",
             seed)
    assert (tmp_path / "1.jsonl").read_text() != (tmp_path / "2.jsonl").read_text()


def test_the_training_tokenizer_and_glia_agree():
    texts = [document["text"] for document in map(json.loads, shipped_corpus().splitlines()[:1500])]
    lines = "".join(json.dumps(text) + "\n" for text in texts)
    told = subprocess.run([GLIA, "tokens", "--subject", SUBJECT, "--json"], input=lines, check=True,
                          capture_output=True, text=True, timeout=60).stdout.splitlines()
    sys.path.insert(0, str(ROOT / "tools" / "dev"))
    from train_tokenizer import Tokenizer
    tokenizer = Tokenizer(SUBJECT)
    assert [json.loads(line)["ids"] for line in told] == [tokenizer.encode(text) for text in texts]
