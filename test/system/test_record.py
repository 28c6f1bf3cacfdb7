"""Recording: interrupted in every way it ends with the same bytes, on any number of threads; what
cannot be recorded is one clear line. Bytes are compared by the content hash of the set of records,
which covers all of them."""
import json
import random
import signal
import struct

import pytest

from conftest import INTERRUPTED, loads, wait_until

WIDTH, LAYERS, HEADS, CONTEXT = 16, 2, 2, 32


def vocabulary():
    """A token a byte, as GPT-2 writes bytes, and <|endoftext|>."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    shown, extra = {byte: chr(byte) for byte in plain}, 256
    for byte in range(256):
        if byte not in shown:
            shown[byte] = chr(extra)
            extra += 1
    words = {shown[byte]: byte for byte in range(256)}
    words["<|endoftext|>"] = 256
    return words


def tensors(seed):
    rng = random.Random(seed)
    made = {}

    def add(name, *shape, scale=0.3, centre=0.0):
        count = 1
        for side in shape:
            count *= side
        made[name] = (shape, [centre + rng.uniform(-scale, scale) for _ in range(count)])

    add("wte.weight", 257, WIDTH, scale=1)
    add("wpe.weight", CONTEXT, WIDTH)
    for i in range(LAYERS):
        for norm in ("ln_1", "ln_2"):
            add(f"h.{i}.{norm}.weight", WIDTH, centre=1.0)
            add(f"h.{i}.{norm}.bias", WIDTH)
        add(f"h.{i}.attn.c_attn.weight", WIDTH, 3 * WIDTH)
        add(f"h.{i}.attn.c_attn.bias", 3 * WIDTH)
        add(f"h.{i}.attn.c_proj.weight", WIDTH, WIDTH)
        add(f"h.{i}.attn.c_proj.bias", WIDTH)
        add(f"h.{i}.mlp.c_fc.weight", WIDTH, 4 * WIDTH)
        add(f"h.{i}.mlp.c_fc.bias", 4 * WIDTH)
        add(f"h.{i}.mlp.c_proj.weight", 4 * WIDTH, WIDTH)
        add(f"h.{i}.mlp.c_proj.bias", WIDTH)
    add("ln_f.weight", WIDTH, centre=1.0)
    add("ln_f.bias", WIDTH)
    return made


def write_safetensors(path, made):
    header, data = {}, b""
    for name, (shape, values) in made.items():
        part = struct.pack(f"<{len(values)}f", *values)
        header[name] = {"dtype": "F32", "shape": list(shape),
                        "data_offsets": [len(data), len(data) + len(part)]}
        data += part
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


@pytest.fixture
def recorder(place):
    """A place with a small model, a corpus and a config that records all of its neurons."""
    model = place.path / "model"
    model.mkdir()
    (model / "config.json").write_text(json.dumps({
        "model_type": "gpt2", "activation_function": "gelu_new", "vocab_size": 257,
        "n_positions": CONTEXT,
        "n_embd": WIDTH, "n_layer": LAYERS, "n_head": HEADS, "layer_norm_epsilon": 1e-5}))
    (model / "vocab.json").write_text(json.dumps(vocabulary()))
    (model / "merges.txt").write_text("#version: 0.2\n")
    write_safetensors(model / "model.safetensors", tensors(1))
    rng = random.Random(2)
    words = "red blue seven eleven sea stone a the of and why not, naïve\n".split(" ")
    (place.path / "corpus.txt").write_text(" ".join(rng.choice(words) for _ in range(60000)))
    write_config(place)
    return place


def write_config(place, record="", sets='[sets.learned]\nsource = "record:"\n'):
    place.config("http://127.0.0.1:9/v1", extra=f"""
[subject]
model = "model"
corpus = ["corpus.txt"]
[record]
tokens = 16
excerpts = 12000
{record}
""" + sets, limit=2)


def record(place, *options, store="store"):
    said = place.glia("record", "--quiet", "--json", "--store", store, *options)
    return loads(said.out)


def test_once_and_the_same_on_any_number_of_threads(recorder):
    one = record(recorder, "--workers", 1, store="one")
    assert one["neurons"] == LAYERS * 4 * WIDTH and one["recorded"]
    assert [one["times"][each]["excerpts"] for each in ("first_pass", "second_pass")] == \
        [12000, 1024]
    three = record(recorder, "--workers", 3, store="three")
    assert three["records"] == one["records"]
    again = record(recorder, store="one")
    assert not again["recorded"] and "times" not in again and again["records"] == one["records"]
    recorder.fsck("--store", "one")
    other = record(recorder, "--set", "run.seed=2", store="one")
    assert other["recorded"] and other["recording"] != one["recording"]
    recorder.fsck("--store", "one")


def checkpoints(place):
    """How large the store has grown, as a sign of checkpoints."""
    data = place.path / "store" / "data.mdb"
    return data.stat().st_mtime_ns if data.exists() else 0


def under_way(place):
    """What `glia status` says of a recording that has begun to compute, else None."""
    done = place.glia("status", "--json", code=None)
    recording = loads(done.out)["recording"] if done.returncode == 0 else None
    return recording if recording and recording["done"] else None


def test_kill_and_stop(recorder):
    """Killed at moments that a checkpoint's write sets, stopped by Ctrl-C in between: nothing shows
    in the end."""
    undisturbed = record(recorder, store="undisturbed")
    often = ("--set", "record.checkpoint_minutes=0.001", "--workers", 1)
    killed = 0
    record(recorder, "--set", "record.excerpts=50")  # so that there is a store
    for turn in range(6):
        seen = checkpoints(recorder)
        program = recorder.start("record", "--quiet", *often)
        for _ in range(turn + 1):
            wait_until(lambda: not program.running() or checkpoints(recorder) != seen, "a commit")
            seen = checkpoints(recorder)
        if turn % 3 == 2:
            program.signal(signal.SIGINT)
            # before the model is read, and when the recording is over, Ctrl-C ends it as
            # it ends any program
            assert program.wait() in (0, INTERRUPTED, -signal.SIGINT)
        else:
            program.end()
        killed += program.process.returncode != 0
        recorder.fsck()
    assert killed > 0
    said = record(recorder)
    assert said["records"] == undisturbed["records"]
    recorder.fsck()


def test_another_core_is_refused(recorder):
    """OpenBLAS can be told which kernels to use; a recording that one set began is not gone on with
    by another."""
    long = ("--quiet", "--set", f"subject.corpus={json.dumps(['corpus.txt'] * 4)}", "--set",
            "record.excerpts=60000")
    program = recorder.start("record", "--workers", 1, *long)
    wait_until(lambda: not program.running() or under_way(recorder), "progress")
    program.signal(signal.SIGINT)
    program.wait(INTERRUPTED)
    other = {"OPENBLAS_CORETYPE": "Nehalem"}
    said = recorder.refused("record", *long, env=other)
    assert "allow_other_core" in said
    recorder.glia("record", *long, "--set", "record.allow_other_core=true", env=other)


def test_what_is_recorded_can_be_asked_about(recorder):
    """A run records first; a set takes the neurons that it names; formats and scores work on
    them."""
    standin = recorder.standin()
    recorder.config(standin.url, formats=["summary", "avhs"], limit=1, adacs=False, extra="""
[subject]
model = "model"
corpus = ["corpus.txt"]
[record]
tokens = 16
excerpts = 300
[sets.learned]
source = "record:"
neurons = ["1:7", "layer:0", "random:2"]
limit = 3
""")
    plan = loads(recorder.glia("plan", "--json").out)
    assert plan["recorded"] is False
    recorder.run()
    said = recorder.glia("export", "records", "--set", "learned").out.splitlines()
    records = [loads(line) for line in said]
    assert len(records) == 3 and all(r["neuron_id"]["layer_index"] == 0 for r in records)
    first = records[0]
    assert len(first["most_positive_activation_records"]) == 20 and \
        len(first["random_sample"]) == 20
    maxima = [max(r["activations"]) for r in first["most_positive_activation_records"]]
    assert maxima == sorted(maxima, reverse=True)
    assert 0 <= first["above_zero"] <= 1
    rows = [loads(line)
            for line in recorder.glia("export", "scores", "--set", "learned").out.splitlines()]
    assert len(rows) == 6 and all(row["scored"] == "done" for row in rows)
    assert loads(recorder.glia("plan", "--json").out)["recorded"] is True
    recorder.fsck()


def drawn(place, name):
    return [(row["layer"], row["neuron"])
            for row in map(loads, place.glia("export", "set", name).out.splitlines())]


def test_sets_are_drawn_from_a_recording(recorder):
    """By chance, by the scores of baselines, from a list; a draw stays for a run of the recording,
    not of another."""
    standin = recorder.standin()
    scores = "".join(f"{layer},{index},{0.9 - index / 100:.2f},x\n" for layer in (0, 1)
                     for index in range(64))
    (recorder.path / "b.csv").write_text("layer,neuron,score,explanation\n" + scores)
    (recorder.path / "list.csv").write_text("layer,neuron\n1,5\n0,63\n")
    recorder.config(standin.url, formats=["summary"], limit=1, adacs=False, mode=None, extra="""
[subject]
model = "model"
corpus = ["corpus.txt"]
[record]
tokens = 16
excerpts = 300
[sets.chance]
source = "record:"
select = "random"
per_layer = 3
[sets.best]
source = "record:"
select = "top_per_layer"
per_layer = 2
baseline = "b"
[sets.listed]
source = "record:"
select = "list"
list = "list.csv"
""")
    recorder.glia("import", "explanations", "b.csv", "--as", "b")
    assert "without --draw" in recorder.refused("export", "set", "chance", "--draw")
    recorder.run()
    chance = drawn(recorder, "chance")
    assert [layer for layer, _ in chance] == [0, 0, 0, 1, 1, 1] and len(set(chance)) == 6
    assert drawn(recorder, "best") == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert drawn(recorder, "listed") == [(1, 5), (0, 63)]
    records = recorder.glia("export", "records", "--set", "chance").out
    recorder.run()
    assert drawn(recorder, "chance") == chance and \
        recorder.glia("export", "records", "--set", "chance").out == records
    recorder.run("--set", "record.excerpts=299")
    assert drawn(recorder, "chance") == chance and \
        recorder.glia("export", "records", "--set", "chance").out != records
    said = recorder.refused("run", "--quiet", "--set", 'record.neurons=["layer:0"]')
    assert "sets.best: 2 of 4 neurons are not among those recorded (1:0, 1:1); " \
        "name them in record.neurons" in said
    recorder.fsck()


@pytest.mark.parametrize("what, words", [
    ("truncated", "model.safetensors"), ("overlap", "model.safetensors"),
    ("dtype", "h.0.mlp.c_fc.weight"),
    ("nan", "h.0.mlp.c_fc.weight"), ("vocabulary", "token"), ("empty", "corpus"),
    ("short", "excerpt"),
    ("no model", "nowhere"), ("neurons", "record.neurons"), ("context", "record.tokens"),
])
def test_what_cannot_be_recorded(recorder, what, words):
    path = recorder.path / "model" / "model.safetensors"
    made = tensors(1)
    options = []
    if what == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    elif what in ("overlap", "dtype"):
        content = path.read_bytes()
        size = struct.unpack("<Q", content[:8])[0]
        header = json.loads(content[8:8 + size])
        if what == "dtype":
            header["h.0.mlp.c_fc.weight"]["dtype"] = "I32"
        else:
            header["h.0.ln_1.weight"]["data_offsets"] = header["h.0.ln_1.bias"]["data_offsets"]
        text = json.dumps(header).encode()
        path.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + size:])
    elif what == "nan":
        made["h.0.mlp.c_fc.weight"][1][5] = float("nan")
        write_safetensors(path, made)
    elif what == "vocabulary":
        words_file = recorder.path / "model" / "vocab.json"
        vocab = json.loads(words_file.read_text())
        words_file.write_text(json.dumps({**vocab, "extra": 257}))
    elif what == "empty":
        (recorder.path / "corpus.txt").write_text("")
    elif what == "short":
        (recorder.path / "corpus.txt").write_text("too short")
    elif what == "no model":
        options = ["--set", 'subject.model="nowhere"']
    elif what == "neurons":
        options = ["--set", 'record.neurons=["2:0"]']
    elif what == "context":
        options = ["--set", "record.tokens=33"]
    assert words in recorder.refused("record", *options)
    assert words in recorder.refused("run", *options)
