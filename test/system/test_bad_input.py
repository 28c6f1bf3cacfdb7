"""Each item of bad input gives one clear line that names file, key or line and the fix; nothing is
lost."""
import json
import os
import resource
import shutil
import subprocess
import tempfile

import pytest
from conftest import BY_WORLD, DEADLINE, DONE, GLIA, INTERNAL, STANDIN, USAGE, WITH_FAILURES, \
    start_sweep

NOWHERE = "http://127.0.0.1:9/v1"  # nothing is sent there: all of this fails before
KEY = "sk-very-secret-0123456789abcdef"


@pytest.fixture
def refused(place):
    """glia run with a broken config: refused with a line that holds all of `words`; the store has
    no run."""

    def check(*words, options=(), env=None):
        said = place.refused("run", "--quiet", *options, env=env)
        for word in words:
            assert word in said, f"{word!r} is not in: {said}"
        if (place.path / "store" / "data.mdb").exists():
            assert "has no run yet" in place.refused("status")
        return said

    return check


# --- the config ---


@pytest.mark.parametrize("arguments, words", [
    (dict(budget="totl_usd = 1"), ["budget.totl_usd", "unknown", "did you mean budget.total_usd"]),
    (dict(endpoint="rmp = 5"), ["endpoints.own.rmp", "did you mean endpoints.own.rpm"]),
    (dict(run="windwo = 5"), ["run.windwo", "run.window"]),
    (dict(simulate="top_logprob = 5"), ["simulate.top_logprob", "simulate.top_logprobs"]),
    (dict(extra="[budgets]\ntotal = 1\n"), ["budgets", "budget"]),
    (dict(endpoint='rpm = "many"'), ["endpoints.own.rpm", "integer"]),
    (dict(endpoint="http2 = 1"), ["endpoints.own.http2", "true"]),
    (dict(run="window = 1.5"), ["run.window", "integer"]),
    (dict(run="drain_seconds = \"long\""), ["run.drain_seconds", "number"]),
    (dict(endpoint="rpm = 0"), ["endpoints.own.rpm", "1"]),
    (dict(endpoint="rpm = -3"), ["endpoints.own.rpm", "1"]),
    (dict(endpoint="tpm = 0"), ["endpoints.own.tpm", "1"]),
    (dict(endpoint="concurrency = 0"), ["endpoints.own.concurrency", "1"]),
    (dict(endpoint="timeout_s = -1"), ["endpoints.own.timeout_s"]),
    (dict(model="rpm = 0"), ["models.standin-chat.rpm"]),
    (dict(samples=0), ["explain.samples"]),
    (dict(run="max_tries = 0"), ["run.max_tries"]),
    (dict(cap="0"), ["budget.total_usd"]),
    (dict(cap="-1"), ["budget.total_usd"]),
    (dict(budget="daily_usd = -0.5"), ["budget.daily_usd"]),
    (dict(budget="models = { nobody = 1 }"), ["budget.models.nobody", "models"]),
    (dict(formats=["original", "sumary"]), ["explain.formats", "sumary", "summary"]),
    (dict(simulate='mode = "eco"', mode=None,
          extra='[simulate]\nmodel = "standin-text"\nmode = "eco"\n'),
     ["simulate.mode", "eco", "echo"]),
    (dict(formats=[]), ["explain.formats", "empty"]),
    (dict(budget='on_daily_cap = "sleep"'), ["budget.on_daily_cap", "wait"]),
    (dict(run="name = \"\""), ["run.name"]),
], ids=lambda value: " ".join(value) if isinstance(value, dict) else "")
def test_keys(place, refused, arguments, words):
    path = place.config(NOWHERE, **arguments)
    said = refused("config.toml:", *words)
    number = int(said.split("config.toml:")[1].split(":")[0])
    key = words[0].rsplit(".", 1)[-1]
    assert key in path.read_text().split("\n")[number - 1], f"line {number} is not it: {said}"


def test_missing_keys(place, refused):
    path = place.config(NOWHERE)
    text = path.read_text()
    for line, key in [('total_usd = 2.00', "budget.total_usd"),
                      (f'base_url = "{NOWHERE}"', "endpoints.own.base_url"),
                      ('models = ["standin-chat"]', "explain.models"),
                      ('source = "puzzles:"', "sets.puzzles.source")]:
        assert line in text
        path.write_text(text.replace(line, ""))
        refused("config.toml", key, "missing")


def test_no_sets(place, refused):
    path = place.config(NOWHERE)
    path.write_text(path.read_text().replace('[sets.puzzles]\nsource = "puzzles:"\nlimit = 2', ""))
    refused("sets.")


def test_unknown_names(place, refused):
    place.config(NOWHERE)
    refused("explain.models", "standin-chta", 'did you mean "standin-chat"',
            options=("--set", 'explain.models=["standin-chta"]'))
    refused("simulate.model", "standin-txt", "standin-text",
            options=("--set", "simulate.model=standin-txt"))
    refused("models.standin-chat.endpoints", "onw", "own",
            options=("--set", 'models.standin-chat.endpoints=["onw"]'))
    refused("--set", "budget.totl_usd", "budget.total_usd", options=("--set", "budget.totl_usd=5"))
    refused("--set", "budget.total_usd", options=("--set", "budget.total_usd=much"))
    refused("--set", options=("--set", "nonsense"))


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/v1", "127.0.0.1:80/v1", "",
                                 "http://user:pass@127.0.0.1/v1", "http://127.0.0.1:9/v1/"])
def test_urls(place, refused, url):
    place.config(url)
    refused("config.toml:", "endpoints.own.base_url")


@pytest.mark.parametrize("text, where", [("[run\nname = 1\n", "config.toml:1"),
                                         ("a = 1\na = 2\n", "config.toml:2"),
                                         ("x = " + "[" * 5000, "config.toml:"),
                                         ("run = \xff", "config.toml:"),
                                         ("[run]\nname = \"a\nb\"", "config.toml:2"),
                                         ("", "config.toml"),
                                         ("a" * 200000, "config.toml:"),
                                         ("n = 1" + "0" * 400, "config.toml:")],
                         ids=["bracket", "twice", "deep", "latin1", "newline", "empty", "long",
                              "huge"])
def test_broken_toml(place, refused, text, where):
    (place.path / "config.toml").write_bytes(text.encode("latin-1"))
    refused(where)


def test_files_that_are_not_there(place, refused):
    place.config(NOWHERE)
    refused("no-such.toml", options=("-c", "no-such.toml"))
    place.config(NOWHERE, source="no-such.json")
    refused("no-such.json", "sets.puzzles.source")
    place.config(NOWHERE, source="store:nobody")
    assert "nobody" in place.refused("run", "--quiet") and \
        "import" in place.refused("run", "--quiet")
    shutil.rmtree(place.path / "store")
    place.config(NOWHERE, endpoint='ca_file = "no-such.pem"')
    said = place.glia("run", "--quiet", code=USAGE).err
    assert "no-such.pem" in said and "ca_file" in said
    shutil.rmtree(place.path / "store", ignore_errors=True)
    place.config(NOWHERE)
    refused("no-such-templates", options=("--set", "explain.templates=no-such-templates"))
    (place.path / "templates").mkdir()
    (place.path / "templates" / "original.toml").write_text("colour = 1\n")
    refused("original.toml", "colour", options=("--set", "explain.templates=templates"))
    for command in (["report"], ["status"], ["ledger"], ["fsck"], ["export", "scores"]):
        said = place.refused(*command, "--store", "elsewhere")
        assert "no store at elsewhere" in said and not (place.path / "elsewhere").exists()


def test_unset_key_variable(place, refused):
    place.config(NOWHERE, endpoint='key_env = "GLIA_TEST_KEY"')
    refused("config.toml:", "endpoints.own.key_env", "GLIA_TEST_KEY", "not set")
    refused("GLIA_TEST_KEY", env={"GLIA_TEST_KEY": ""})


def test_unpriced_model(place, refused):
    place.config(NOWHERE, model='wire_name = "mystery"')
    path = place.path / "config.toml"
    text = path.read_text().replace("price = { input = 0.50, cached_input = 0.25, output = 1.50 }",
                                    "", 1)
    path.write_text(text)
    refused("config.toml", "models.standin-chat.price.input", "unpriced")


def test_arguments(place):
    for arguments in (["run", "--frobnicate"], ["run", "extra"], ["run", "--run"],
                      ["report", "--format", "pdf"],
                      ["export", "everything"], ["export"], ["frobnicate"],
                      ["ledger", "--by", "hour"],
                      ["prompts"], ["prompts", "--records", "x", "--prompt", "nope"],
                      ["export", "scores", "--format", "xml"]):
        place.refused(*arguments)


# --- records ---


def text_of(tokens="[\"a\"]", activations="[1]"):
    return f'[{{"id":"a","records":[{{"tokens":{tokens},"activations":{activations}}}]}}]'.encode()


BAD_RECORDS = {
    "unequal": (text_of('["a","b"]', "[1]"), "records[0]"),
    "nan": (text_of('["a","b"]', "[1,NaN]"), "records[0].activations[1]"),
    "infinite": (text_of('["a"]', "[-Infinity]"), "records[0].activations[0]"),
    "overflow": (text_of('["a"]', "[1e999]"), "activations"),
    "too-large-for-float": (text_of('["a"]', "[1e300]"), "activations[0]"),
    "text-activation": (text_of('["a"]', '["1"]'), "activations[0]"),
    "null-activation": (text_of('["a"]', "[null]"), "activations[0]"),
    "empty-token": (text_of('["a",""]', "[1,2]"), "records[0].tokens[1]"),
    "number-token": (text_of('["a",7]', "[1,2]"), "records[0].tokens[1]"),
    "no-tokens": (text_of("[]", "[]"), "records[0]"),
    "no-records": (b'[{"id":"a","records":[]}]', "records"),
    "invalid-utf8": (text_of('["a\xff"]', "[1]").replace("ÿ".encode(), b"\xff"), "0xff"),
    "lone-surrogate": (text_of(r'["\ud800"]', "[1]"), "bad.json"),
    "million-tokens": (text_of("[" + ",".join(['"a"'] * 10**6) + "]",
                               "[" + ",".join(["1"] * 10**6) + "]"), "tokens"),
    "truncated": (text_of()[:-10], "bad.json"),
    "empty-file": (b"", "bad.json"),
    "empty-list": (b"[]", "bad.json"),
    "not-json": (b"tokens: a b c\n", "bad.json"),
    "deep": (b"[" * 200000 + b"]" * 200000, "deep"),
    "deep-objects": (b'{"a":' * 200000 + b"1" + b"}" * 200000, "bad.json"),
    "huge-number": (text_of('["a"]', "[" + "9" * 100000 + "]"), "bad.json"),
    "duplicate-keys": (b'[{"id":"a","id":"b","records":[{"tokens":["a"],"activations":[1]}]}]',
                       "id"),
    "duplicate-ids": (b'[{"id":"a","records":[{"tokens":["a"],"activations":[1]}]},'
                      b'{"id":"a","records":[{"tokens":["b"],"activations":[1]}]}]', "twice"),
    "trailing": (text_of() + b"]", "bad.json"),
    "nul": (text_of() + b"\0", "bad.json"),
    "bad-threshold": (
        b'[{"id":"a","threshold":"x","records":[{"tokens":["a"],"activations":[1]}]}]',
        "threshold"),
    "jsonl-second-line": (b'{"id":"a","records":[{"tokens":["a"],"activations":[1]}]}\n'
                          b'{"id":"b","records":7}\n',
                          "bad.json:2"),
    "published-form": (b'{"neuron_id":{"layer_index":0,"neuron_index":-4},'
                       b'"most_positive_activation_records":[]}',
                       "neuron_index"),
}


@pytest.mark.parametrize("name", BAD_RECORDS)
def test_bad_records(place, refused, name):
    content, word = BAD_RECORDS[name]
    (place.path / "bad.json").write_bytes(content)
    place.config(NOWHERE, source="bad.json")
    said = refused("sets.puzzles.source", "bad.json", word)
    assert len(said) < 600
    said = place.refused("prompts", "--records", "bad.json", "--prompt", "original")
    assert "bad.json" in said and word in said
    said = place.refused("import", "neurons", "bad.json", "--set", "x", "--store", "other")
    assert "bad.json" in said and word in said


def test_record_directory_and_device(place, refused):
    place.config(NOWHERE, source=str(place.path))
    refused("sets.puzzles.source", str(place.path))


def test_neuron_too_long_for_the_model_is_a_failed_job(place):
    """It belongs to a job: the others are done, the exit code says so, and nothing was paid for
    it."""
    record = {"tokens": [" word"] * 4000, "activations": [1.0] * 4000}
    long = [{"id": "long", "threshold": 0.5, "records": [record] * 5},
            {"id": "short", "threshold": 0.5,
             "records": [{"tokens": [" one", " two"], "activations": [0.0, 5.0]}]}]
    (place.path / "mixed.json").write_text(json.dumps(long))
    standin = place.standin()
    place.config(standin.url, source="mixed.json", limit=None, formats=["original"], mode=None,
                 adacs=False)
    said = place.run(code=WITH_FAILURES).err
    assert "1 job" in said
    lines = {line["id"]: line
             for line in map(json.loads, place.glia("export", "explanations").out.splitlines())}
    assert lines["short"]["state"] == "done" and lines["long"]["state"] == "failed"
    failures = place.status()["failures"]
    assert len(failures) == 1 and "context" in json.dumps(failures, default=str)
    bills = standin.bills()
    place.run(code=WITH_FAILURES)
    assert standin.bills() == bills
    place.fsck()


# --- the store ---


def finished(place):
    standin = place.standin()
    place.config(standin.url)
    place.run()
    return standin


@pytest.mark.skipif(not shutil.which("mdb_dump") or not shutil.which("mdb_load"),
                    reason="lmdb-utils is absent")
def test_store_of_another_version(place):
    """Test of a newer schema: dumped, patched, loaded. (test/unit/test_env.c has it without
    tools.)"""
    finished(place)
    store = place.path / "store"
    dump = subprocess.run(["mdb_dump", "-a", str(store)], check=True,
                          capture_output=True).stdout.decode()
    head, found, rest = dump.partition(" " + "schema".encode().hex() + "\n")
    assert found
    value, newline, rest = rest.partition("\n")
    assert value.endswith("02")
    (place.path / "dump").write_text(head + found + value[:-2] + "63" + newline + rest)
    shutil.rmtree(store)
    store.mkdir()
    subprocess.run(["mdb_load", "-f", str(place.path / "dump"), str(store)], check=True)
    before = (store / "data.mdb").read_bytes()
    for command in (["run", "--quiet"], ["report"], ["fsck"],
                    ["ledger", "release", "--all", "--reason", "x"]):
        said = place.refused(*command)
        assert "store" in said and "newer" in said
    assert (store / "data.mdb").read_bytes() == before


def test_store_that_is_no_store(place):
    place.config(NOWHERE)
    (place.path / "store").mkdir()
    (place.path / "store" / "data.mdb").write_bytes(
        b"not a database, but somebody's letter\n" * 1000)
    before = (place.path / "store" / "data.mdb").read_bytes()
    for command in (["run", "--quiet"], ["report"], ["fsck"]):
        assert "store" in place.refused(*command)
    assert (place.path / "store" / "data.mdb").read_bytes() == before


def test_store_path_is_a_file(place):
    place.config(NOWHERE)
    (place.path / "store").write_text("mine")
    assert "directory" in place.refused("run", "--quiet")
    assert (place.path / "store").read_text() == "mine"
    assert "store" in place.refused("report")


def test_read_only_directory(place):
    """root may write everywhere, and is nobody here."""
    with tempfile.TemporaryDirectory() as directory:
        shutil.copy(place.config(NOWHERE), directory)
        os.chmod(directory, 0o555)
        root = os.geteuid() == 0
        command = [str(GLIA), "run", "--quiet", "-c", f"{directory}/config.toml", "--store",
                   f"{directory}/store"]
        try:
            done = subprocess.run(command, cwd="/", env=place.env, capture_output=True, timeout=60,
                                  **({"user": 65534, "group": 65534, "extra_groups": []}
                                     if root else {}))
        except PermissionError:
            pytest.skip(f"{GLIA} may not be run by others")
        said = done.stderr.decode()
        assert done.returncode == USAGE and len(said.strip().splitlines()) == 1, said
        assert f"{directory}/store" in said and "write" in said


def test_directory_that_nobody_may_write(place):
    """/proc is read-only for root, too."""
    place.config(NOWHERE, store="/proc/glia-store")
    said = place.refused("run", "--quiet")
    assert "/proc/glia-store" in said


def test_store_in_use_names_the_holder(place):
    standin = place.standin("--latency", "fixed:100")
    place.config(standin.url, endpoint="concurrency = 1")
    glia = start_sweep(place, standin, 3)
    said = place.refused("run", "--quiet", "--run", "other")
    assert "in use" in said and str(glia.process.pid) in said and "default" in said
    assert glia.running()
    glia.end()
    place.run()  # the lock of a dead process holds nobody up


def test_damaged_store_is_noticed(place):
    finished(place)
    path = place.path / "store" / "data.mdb"
    content = bytearray(path.read_bytes())
    for at in range(5 * 4096, len(content), 4096):  # every page behind the first few
        content[at + 2048:at + 2080] = b"\xde\xad\xbe\xef" * 8
    path.write_bytes(content)
    # LMDB trusts its pages and may crash on them: a sanitizer leaves that to fsck, which
    # says what it means
    leave = {"ASAN_OPTIONS": "handle_segv=0:handle_sigbus=0:handle_abort=0:detect_leaks=0",
             "TSAN_OPTIONS": "handle_segv=0:handle_sigbus=0:handle_abort=0"}
    done = place.glia("fsck", code=INTERNAL, env=leave)
    assert "damaged" in done.err or "problem" in done.out, done.err + done.out


def test_store_that_crashes_the_database(place):
    """Damage at many places, one at a time: fsck always ends with words, never with a signal."""
    finished(place)
    path = place.path / "store" / "data.mdb"
    content = path.read_bytes()
    leave = {"ASAN_OPTIONS": "handle_segv=0:handle_sigbus=0:handle_abort=0:detect_leaks=0"}
    said = set()
    for at in range(2 * 4096, len(content), max(4096, len(content) // 4096 // 40 * 4096)):
        path.write_bytes(content[:at] + b"\xff" * 64 + content[at + 64:])  # the header of one page
        done = place.glia("fsck", code=None, env=leave)
        assert done.returncode in (DONE, INTERNAL, USAGE), f"{at}: {done.returncode} {done.err}"
        said.add(done.returncode)
    assert INTERNAL in said


# --- the stand-in ---


def test_port_in_use(place):
    taken = place.standin()
    done = subprocess.run([str(STANDIN), "--port", str(taken.port), "--max-seconds", "60"],
                          capture_output=True, timeout=60)
    said = done.stderr.decode()
    assert done.returncode == USAGE and str(taken.port) in said and \
        len(said.strip().splitlines()) == 1


@pytest.mark.parametrize("options, word",
                         [(["--prot", "0"], "--prot"), (["--port", "70000"], "port"),
                          (["--fault", "rest_before=1"], "reset_before"), (["--rpm", "-1"], "rpm"),
                          (["--fault", "hang=2"], "hang"), (["--latency", "soon"], "latency"),
                          (["--ledger", "/nonexistent/x"], "/nonexistent/x"),
                          (["--host", "0.0.0.0"], "127.0.0.1")])
def test_standin_options(options, word):
    done = subprocess.run([str(STANDIN), "--max-seconds", "60", *options], capture_output=True,
                          timeout=60)
    said = done.stderr.decode()
    assert done.returncode == USAGE and word in said and len(said.strip().splitlines()) == 1


# --- secrets ---


def everything_written(place):
    """Bytes of every file below the place but the config, by path."""
    return {path: path.read_bytes() for path in place.path.rglob("*") if path.is_file()}


def nothing_leaks(place, *outputs):
    for command in (["report"], ["report", "--format", "html"], ["report", "--json"], ["status"],
                    ["status", "--json"],
                    ["ledger"], ["ledger", "--json"], ["export", "explanations"],
                    ["export", "scores"], ["export", "simulations"], ["fsck"]):
        done = place.glia(*command, code=None)
        outputs += (done.out, done.err)
    assert not any(KEY in output for output in outputs)
    for path, content in everything_written(place).items():
        assert KEY.encode() not in content, f"{path.name} holds the key"


def test_key_is_sent_and_kept_nowhere(place):
    standin = place.standin("--key", KEY)
    place.config(standin.url, endpoint='key_env = "GLIA_TEST_KEY"')
    done = place.glia("run", "--verbose", env={"GLIA_TEST_KEY": KEY})
    assert standin.bills()
    nothing_leaks(place, done.err, done.out)


@pytest.mark.parametrize("status", [401, 403, 400, 500, 429])
def test_key_that_the_endpoint_echoes(place, status):
    """The provider repeats the key in its error, whole and in a header; it is kept nowhere."""

    def answer(number, arrival):
        key = arrival.headers.get("Authorization", "")
        body = json.dumps({"error": {"message": f"Incorrect API key provided: {key}. Your key "
                                                f"{key[7:]}.",
                                     "type": f"invalid {key}",
                                     "code": "invalid_api_key " + key[7:]}})
        return status, {"Content-Type": "application/json", "x-echo": key}, body.encode()

    relay = place.relay(None, answer)
    place.config(relay.url, endpoint='key_env = "GLIA_TEST_KEY"',
                 run="outage_wait_minutes = 0\nmax_tries = 1")
    done = place.glia("run", "--verbose", code=None, env={"GLIA_TEST_KEY": KEY})
    assert done.returncode in (USAGE, BY_WORLD, WITH_FAILURES), done.err
    assert relay.arrivals[0].headers["Authorization"] == f"Bearer {KEY}"
    assert "own" in done.err
    nothing_leaks(place, done.err, done.out)


def test_more_connections_than_open_files(place):
    """The soft limit is raised silently; a hard one that is too low is said before anything is
    spent."""
    standin = place.standin()
    place.config(standin.url, endpoint="concurrency = 100")

    def run_limited(hard):
        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (60, hard))

        return subprocess.run([GLIA, "run", "--quiet"], cwd=place.path, env=place.env,
                              capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, preexec_fn=limit, timeout=DEADLINE)

    done = run_limited(60)
    assert done.returncode == USAGE and standin.bills() == []
    assert all(word in done.stderr for word in ("ulimit -n", "148", "60")), done.stderr
    done = run_limited(200)
    assert done.returncode == DONE, done.stderr
