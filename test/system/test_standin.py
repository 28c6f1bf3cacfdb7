"""The stand-in as a client sees it: wire format, errors, limits, faults, and what it bills."""

import base64
import http.client
import json
import math
import re
import select
import signal
import socket
import ssl
import struct
import subprocess
import threading

import pytest
from standin_server import PROGRAM, TIMEOUT, Standin, until

# picodollars a token: input, cached, output
PRICES = {"standin-chat": (500_000, 250_000, 1_500_000),
          "standin-text": (500_000, 250_000, 1_500_000),
          "standin-embedding": (20_000, 20_000, 0)}
RECORD = "Neuron 1 responds to: colours\n<start>\n the\tunknown\n red\tunknown\n" \
    " café\tunknown\n<end>\n"
BILLED = ["status500_after", "reset_after", "hang", "truncate", "garbage", "empty", "slow",
          "no_usage", "no_logprobs", "bad_type"]
UNBILLED = ["reset_before", "status500", "status503", "status429", "quota", "hang_before"]


@pytest.fixture
def standin(tmp_path):
    with Standin(tmp_path) as server:
        yield server


@pytest.fixture
def start(tmp_path):
    """A stand-in with options, stopped at the end."""
    running = []

    def start_one(*options):
        running.append(Standin(tmp_path, *options))
        return running[-1]
    yield start_one
    for server in running:
        server.stop()


def cost(model, usage):
    cached = usage.get("prompt_tokens_details", {}).get("cached_tokens", 0)
    price = PRICES[model]
    return ((usage["prompt_tokens"] - cached) * price[0] + cached * price[1]
            + usage.get("completion_tokens", 0) * price[2])


# --- wire format ----------------------------------------------------------------------------------


def test_health_and_models(standin):
    assert standin.greeting == f"glia-standin: listening on http://127.0.0.1:{standin.port}/v1"
    assert standin.get("/_standin/health").json == {"status": "ok"}
    listed = standin.get("/v1/models").json
    assert listed["object"] == "list"
    assert {model["id"] for model in listed["data"]} == set(PRICES)
    assert standin.get("/v1/models/standin-chat").json["id"] == "standin-chat"
    assert standin.get("/v1/models/gpt-9").error["code"] == "model_not_found"


def test_chat(standin):
    text = "<start>The[ red] and the[ blue] door<end>"
    answer = standin.chat(text, temperature=0)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["x-request-id"]
    body = answer.json
    choice = body["choices"][0]
    assert body["object"] == "chat.completion" and body["model"] == "standin-chat"
    assert body["system_fingerprint"] == "glia-standin"
    assert choice["message"] == {"role": "assistant", "content": "colours", "refusal": None}
    assert choice["finish_reason"] == "stop" and choice["logprobs"] is None
    usage = body["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


def test_answers_are_a_function_of_the_request(standin):
    text = "<start>The[ red] and the[ blue] door<end>"
    bodies = [standin.chat(text, user="a").body for _ in range(2)]
    assert bodies[0] == bodies[1]
    contents = {standin.chat(text, user=str(i)).json["choices"][0]["message"]["content"]
                for i in range(30)}
    assert len(contents) > 1
    assert len({standin.chat(text, user=str(i),
                             temperature=0).json["choices"][0]["message"]["content"]
                for i in range(30)}) == 1


def test_chat_logprobs(standin):
    choice = standin.chat("<start>The[ red] and the[ blue] door<end>", logprobs=True,
                          top_logprobs=4).json["choices"][0]
    tokens = choice["logprobs"]["content"]
    assert "".join(token["token"] for token in tokens) == choice["message"]["content"]
    for token in tokens:
        assert token["logprob"] <= 0 and bytes(token["bytes"]).decode() == token["token"]
        assert len(token["top_logprobs"]) == 4
        assert {"token", "logprob", "bytes"} == set(token["top_logprobs"][0])


def test_output_is_cut_at_its_maximum(standin):
    for name in ("max_tokens", "max_completion_tokens"):
        body = standin.chat("Hello", **{name: 3}).json
        assert body["choices"][0]["finish_reason"] == "length"
        assert body["usage"]["completion_tokens"] == 3


def test_completion_echo(standin):
    body = standin.complete(RECORD, max_tokens=0, echo=True, logprobs=15).json
    choice = body["choices"][0]
    logprobs = choice["logprobs"]
    tokens, offsets = logprobs["tokens"], logprobs["text_offset"]
    assert body["object"] == "text_completion" and choice["text"] == RECORD
    assert body["usage"]["completion_tokens"] == 0 and body["usage"]["prompt_tokens"] == len(tokens)
    assert "".join(tokens) == RECORD
    assert [RECORD[offset:offset + len(token)] for offset, token in zip(offsets, tokens)] == tokens
    assert logprobs["token_logprobs"][0] is None and logprobs["top_logprobs"][0] is None
    assert len(logprobs["token_logprobs"]) == len(logprobs["top_logprobs"]) == len(tokens)
    values = []
    for token, own, top in list(zip(tokens, logprobs["token_logprobs"],
                                    logprobs["top_logprobs"]))[1:]:
        assert own <= 0 and top[token] == own
        if token == "unknown":
            belief = {int(value): math.exp(logprob) for value, logprob in top.items()
                      if value.isdigit()}
            assert set(belief) == set(range(11)) and \
                math.isclose(sum(belief.values()), 1, abs_tol=1e-3)
            values.append(sum(value * share for value, share in belief.items()))
    assert len(values) == 3 and values[1] > 8 > 1 > values[0] and values[2] < 1


def test_completion_of_one_token(standin):
    prompt = RECORD[:RECORD.index("unknown\n café")]
    choice = standin.complete(prompt, max_tokens=1, logprobs=5, temperature=0).json["choices"][0]
    assert choice["text"] in ("8", "9", "10") and choice["logprobs"]["tokens"] == [choice["text"]]
    assert len(choice["logprobs"]["top_logprobs"][0]) == 5
    echoed = standin.complete(prompt, max_tokens=1, logprobs=5, echo=True,
                              temperature=0).json["choices"][0]
    assert echoed["text"] == prompt + choice["text"]


def test_chat_repeats_a_record(standin):
    content = standin.chat(RECORD, temperature=0).json["choices"][0]["message"]["content"]
    lines = content.split("\n")
    assert lines[0] == "<start>" and lines[-1] == "<end>"
    assert [line.split("\t")[0] for line in lines[1:-1]] == [" the", " red", " café"]
    assert [int(line.split("\t")[1]) > 5 for line in lines[1:-1]] == [False, True, False]


def test_embeddings(standin):
    body = standin.embed(["kinds of birds", "an eagle", "kinds of birds"]).json
    vectors = [row["embedding"] for row in body["data"]]
    assert [row["index"] for row in body["data"]] == [0, 1, 2]
    assert vectors[0] == vectors[2] != vectors[1]
    assert all(len(vector) == 256 and math.isclose(sum(x * x for x in vector), 1, abs_tol=1e-5)
               for vector in vectors)
    assert body["usage"]["prompt_tokens"] == body["usage"]["total_tokens"] > 0
    encoded = standin.embed(["kinds of birds"],
                            encoding_format="base64").json["data"][0]["embedding"]
    decoded = struct.unpack("<256f", base64.b64decode(encoded, validate=True))
    assert all(math.isclose(a, b, abs_tol=1e-6) for a, b in zip(decoded, vectors[0]))
    for dimensions in (1, 2, 3, 64):
        row = standin.embed("x", dimensions=dimensions).json["data"][0]
        assert len(row["embedding"]) == dimensions
        packed = standin.embed("x", dimensions=dimensions,
                               encoding_format="base64").json["data"][0]["embedding"]
        assert len(base64.b64decode(packed, validate=True)) == 4 * dimensions


# --- errors ---------------------------------------------------------------------------------------


def check_error(answer, status, **expected):
    assert answer.status == status
    assert set(answer.error) == {"message", "type", "param", "code"}
    for name, value in expected.items():
        assert answer.error[name] == value, answer.error


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff",
                                  b'{"model":"standin-chat","messages":[]} x', b"null"])
def test_malformed_json(standin, body):
    check_error(standin.post("/chat/completions", body), 400, type="invalid_request_error")


@pytest.mark.parametrize("change, param", [
    ({"messages": []}, "messages"), ({"messages": "x"}, "messages"),
    ({"messages": [{"role": "user"}]}, "messages"),
    ({"messages": [{"role": "robot", "content": "x"}]}, "messages"),
    ({"temperature": 3}, "temperature"),
    ({"temperature": "hot"}, "temperature"), ({"max_tokens": 0}, "max_tokens"),
    ({"max_tokens": 1.5}, "max_tokens"),
    ({"n": 2}, "n"), ({"stream": True}, "stream"), ({"logprobs": 3}, "logprobs"),
    ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"), ({"top_logprobs": 2}, "top_logprobs"),
    ({"model": None}, None), ({"model": 3}, None)])
def test_invalid_chat(standin, change, param):
    body = {"model": "standin-chat", "messages": [{"role": "user", "content": "x"}], **change}
    check_error(standin.post("/chat/completions", body), 400, type="invalid_request_error",
                param=param)


@pytest.mark.parametrize("path, change, param", [
    ("/completions", {"prompt": 3}, "prompt"), ("/completions", {"prompt": ["a", "b"]}, "prompt"),
    ("/completions", {"prompt": "x", "logprobs": True}, "logprobs"),
    ("/embeddings", {"input": []}, "input"),
    ("/embeddings", {"input": [""]}, "input"), ("/embeddings", {"input": [[1, 2]]}, "input"),
    ("/embeddings", {"input": "x", "encoding_format": "hex"}, "encoding_format"),
    ("/embeddings", {"input": "x", "dimensions": 0}, "dimensions")])
def test_invalid_others(standin, path, change, param):
    check_error(standin.post(path, {"model": "standin-text", **change}), 400, param=param)


def test_unknown_model_path_and_method(standin):
    check_error(standin.chat(model="gpt-9"), 404, code="model_not_found")
    check_error(standin.post("/moderations", {}), 404, code="unknown_url")
    check_error(standin.get("/"), 404, code="unknown_url")
    check_error(standin.get("/v1/chat/completions"), 405)
    assert standin.ledger["totals"]["requests"] == 0


def test_key(start):
    server = start("--key", "sk-right")
    for headers in ({}, {"Authorization": "Bearer sk-wrong"}, {"Authorization": "sk-right"},
                    {"Authorization": "Bearer sk-right2"}):
        check_error(server.post("/chat/completions", {}, headers=headers), 401,
                    code="invalid_api_key")
    good = {"Authorization": "Bearer sk-right"}
    body = {"model": "standin-chat", "messages": [{"role": "user", "content": "x"}]}
    assert server.post("/chat/completions", body, headers=good).status == 200
    assert server.get("/_standin/health").status == 200
    assert server.outcomes(5) == {"unauthorized": 4, "ok": 1}


def test_capabilities_can_be_taken_away(start):
    server = start("--no-echo", "--no-logprobs")
    check_error(server.complete(RECORD, max_tokens=0, echo=True, logprobs=5), 400)
    assert server.complete("x", logprobs=5).json["choices"][0]["logprobs"] is None
    assert server.chat(logprobs=True).json["choices"][0]["logprobs"] is None


def test_a_request_may_be_too_large(standin):
    raw = standin.send_raw(
        f"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {1 << 40}\r\n\r\n")
    assert raw.recv(12) == b"HTTP/1.1 413"
    raw.close()


# --- limits ---------------------------------------------------------------------------------------


def test_requests_per_minute(start):
    server = start("--rpm", "3")
    for left in (2, 1, 0):
        answer = server.chat()
        assert answer.status == 200
        assert answer.headers["x-ratelimit-limit-requests"] == "3"
        assert answer.headers["x-ratelimit-remaining-requests"] == str(left)
        assert re.fullmatch(r"1m0s|\d+(\.\d+)?s", answer.headers["x-ratelimit-reset-requests"])
    refused = server.chat()
    check_error(refused, 429, type="requests", code="rate_limit_exceeded")
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    milliseconds = int(refused.headers["retry-after-ms"])
    assert math.ceil(milliseconds / 1000) == int(refused.headers["Retry-After"])
    assert server.ledger["totals"]["requests"] == 3
    assert server.outcomes(4) == {"ok": 3, "rate_limited": 1}


def test_tokens_per_minute_charge_bytes_and_maximum(start):
    server = start("--tpm", "100")
    first = server.chat("x" * 160, max_tokens=20)
    assert first.headers["x-ratelimit-limit-tokens"] == "100"
    assert first.headers["x-ratelimit-remaining-tokens"] == "40"
    check_error(server.chat("x" * 160, max_tokens=1), 429, type="tokens",
                code="rate_limit_exceeded")
    assert server.chat("x" * 80, max_tokens=20).status == 200
    too_large = server.chat("x" * 400, max_tokens=1)
    check_error(too_large, 429, type="tokens", code="rate_limit_exceeded")
    assert "too large" in too_large.error["message"]


def test_concurrency(start):
    server = start("--concurrency", "2", "--fault", "hang=1")
    hanging = [server.send_chat() for _ in range(2)]
    server.wait_for_bills(2)
    server.set_faults(all=0)
    check_error(server.chat(), 429, code="rate_limit_exceeded")
    for raw in hanging:
        raw.close()
    until(lambda: server.chat().status == 200)


def test_quota(start):
    server = start("--quota", "0.00001")
    answers = [server.chat() for _ in range(5)]
    assert [answer.status for answer in answers].count(200) == 1
    check_error(answers[-1], 429, type="insufficient_quota", code="insufficient_quota")
    assert "Retry-After" not in answers[-1].headers


def test_a_delay_does_not_hold_up_others(start):
    server = start("--latency", "fixed:3600000")
    slow = server.send_raw("POST /v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
    assert slow.recv(12) == b"HTTP/1.1 404"  # refusals are not delayed
    waiting = [server.send_chat() for _ in range(100)]
    server.wait_for_bills(100)
    server.set_faults(latency="fixed:0")
    assert server.chat().status == 200
    assert server.outcomes(2) == {"refused": 1, "ok": 1}
    assert select.select(waiting, [], [], 0)[0] == []
    for raw in [slow, *waiting]:
        raw.close()


# --- faults and the ledger ------------------------------------------------------------------------


def meet(server, fault):
    """What a client sees of a fault: an answer, or the name of the exception."""
    connection = server.connection()
    connection.timeout = 1 if fault.startswith("hang") else TIMEOUT
    try:
        return server.ask("POST", "/v1/chat/completions", connection=connection, body={
            "model": "standin-chat", "messages": [{"role": "user", "content": "x"}],
            "logprobs": True})
    except (OSError, http.client.HTTPException) as error:
        return type(error).__name__
    finally:
        connection.close()


def check_fault(fault, seen):
    exceptions = {"reset_before": "ConnectionResetError", "reset_after": "ConnectionResetError",
                  "truncate": "IncompleteRead", "hang": "TimeoutError",
                  "hang_before": "TimeoutError"}
    if fault in exceptions:
        assert seen == exceptions[fault]
        return
    statuses = {"status500": 500, "status500_after": 500, "status503": 503, "status429": 429,
                "quota": 429}
    assert seen.status == statuses.get(fault, 200)
    if seen.status != 200:
        check_error(seen, seen.status)
    elif fault == "garbage":
        with pytest.raises(ValueError):
            seen.json
    elif fault == "empty":
        assert seen.body == b""
    else:
        choices = seen.json["choices"]
        assert ("usage" in seen.json) == (fault != "no_usage")
        assert isinstance(choices, list) == (fault != "bad_type")
        if fault != "bad_type":
            assert (choices[0]["logprobs"] is None) == (fault == "no_logprobs")


@pytest.mark.parametrize("fault", BILLED + UNBILLED)
def test_fault(standin, fault):
    standin.set_faults(**{fault: 1, "count": 1})
    check_fault(fault, meet(standin, fault))
    check_fault("none", meet(standin, "none"))
    assert standin.outcomes(2) == {fault: 1, "ok": 1}
    outcomes = [bill["outcome"] for bill in standin.ledger["billed"]]
    assert outcomes == ([fault, "ok"] if fault in BILLED else ["ok"])


def test_faults_can_be_seen_and_changed(start):
    server = start("--fault", "garbage=0.5", "--latency", "uniform:0,1")
    assert server.get("/_standin/faults").json["garbage"] == 0.5
    assert server.set_faults(empty=0.25)["garbage"] == 0.5
    check_error(server.ask("POST", "/_standin/faults", {"empty": 0.75}), 400)
    check_error(server.ask("POST", "/_standin/faults", {"emty": 0.1}), 400)
    check_error(server.ask("POST", "/_standin/faults", b"?"), 400)
    faults = server.set_faults(all=0, latency="fixed:0")
    assert not any(value for name, value in faults.items() if name not in ("count", "latency"))


def test_ledger_totals_equal_what_was_said(start, tmp_path):
    file = tmp_path / "ledger.jsonl"
    server = start("--ledger", str(file), "--cached-share", "0.4", "--price", "own=1000,0.000001,3",
                   "--price", "standin-chat=0.5,0.25,1.5")
    PRICES["own"] = (10**9, 1, 3_000_000)
    answers = [server.chat("a b c " * i) for i in range(5)]
    answers += [server.complete(RECORD, max_tokens=2), server.embed(["x y", "z"]),
                server.chat(model="own")]
    usages = [(answer.json["model"], answer.json["usage"]) for answer in answers]
    del usages[6][1]["total_tokens"]
    usages[6][1]["prompt_tokens_details"] = {
        "cached_tokens": int(usages[6][1]["prompt_tokens"] * 0.4)}
    expected = [cost(model, usage) for model, usage in usages]
    ledger = server.ledger
    assert [int(bill["cost_picodollars"]) for bill in ledger["billed"]] == expected
    assert [bill["sequence"] for bill in ledger["billed"]] == list(range(1, 9))
    assert len({bill["hash"] for bill in ledger["billed"]}) == 8
    totals = ledger["totals"]
    assert totals["requests"] == 8 and int(totals["cost_picodollars"]) == sum(expected)
    assert totals["prompt_tokens"] == sum(usage["prompt_tokens"] for _, usage in usages)
    assert totals["cached_tokens"] == sum(usage["prompt_tokens_details"]["cached_tokens"]
                                          for _, usage in usages)
    assert [json.loads(line) for line in file.read_text().splitlines()] == ledger["billed"]
    assert server.get("/_standin/ledger?skip=6").json["billed"] == ledger["billed"][6:]


def test_ledger_under_many_clients(start):
    server = start("--latency", "uniform:0,5", "--fault", "reset_after=0.1", "--fault",
                   "truncate=0.1", "--fault", "status500=0.1", "--seed", "3")
    outcomes = []

    def work():
        outcomes.extend(meet(server, "none") for _ in range(50))
    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    whole = [answer for answer in outcomes if not isinstance(answer, str) and answer.status == 200]
    failed = [answer for answer in outcomes if not isinstance(answer, str) and answer.status == 500]
    assert server.outcomes(400) == {"ok": len(whole), "status500": len(failed),
                                    "reset_after": outcomes.count("ConnectionResetError"),
                                    "truncate": outcomes.count("IncompleteRead")}
    ledger = server.ledger
    assert ledger["totals"]["requests"] == 400 - len(failed)
    assert len({bill["sequence"] for bill in ledger["billed"]}) == ledger["totals"]["requests"]


# --- the program ----------------------------------------------------------------------------------


def test_stops_on_signals_and_at_the_end_of_input(tmp_path):
    for end in ("SIGTERM", "SIGINT", "EOF"):
        server = Standin(tmp_path)
        if end == "EOF":
            server.process.stdin.close()
        else:
            server.process.send_signal(getattr(signal, end))
        assert server.process.wait(TIMEOUT) == 0
        server.stop()


def test_stops_with_requests_under_way(start):
    server = start("--fault", "hang=1")
    raw = server.send_chat()
    server.wait_for_bills(1)
    assert server.stop() == 0
    with pytest.raises(ConnectionResetError):
        raw.recv(1)
    raw.close()


def test_stops_by_itself_and_with_its_parent(tmp_path):
    assert subprocess.run([PROGRAM, "--max-seconds", "1"], capture_output=True, timeout=TIMEOUT,
                          check=False).returncode == 0
    port_file = tmp_path / "orphan"
    script = f'"{PROGRAM}" --quit-with-parent --port-file "{port_file}" & read -r line'
    with subprocess.Popen(["sh", "-c", script], stdin=subprocess.PIPE,
                          stderr=subprocess.PIPE) as parent:
        parent.stderr.readline()
        port = int(port_file.read_text())
        socket.create_connection(("127.0.0.1", port)).close()
        parent.kill()
        parent.wait()
        assert parent.stderr.read() == b""  # ends when the stand-in does
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


@pytest.mark.parametrize("options, message", [
    (["--prot", "1"], "unknown option --prot"), (["--port"], "--port needs a value"),
    (["--port", "70000"], "'70000' will not do"), (["--host", "0.0.0.0"], "127.0.0.1"),
    (["--fault", "statos500=1"], "did you mean 'status500'?"),
    (["--fault", "empty=2"], "probability"),
    (["--latency", "fast"], "fixed:MS"), (["--models", "gpt-9"], "add --price gpt-9="),
    (["--price", "gpt-9=1"], "MODEL=INPUT,CACHED,OUTPUT"), (["--tls-cert", "x"], "--tls-key")])
def test_wrong_options(options, message):
    done = subprocess.run([PROGRAM, *options], capture_output=True, text=True, timeout=TIMEOUT,
                          check=False)
    assert done.returncode == 2 and message in done.stderr and done.stderr.count("\n") == 1


def test_a_taken_port_is_named(standin):
    done = subprocess.run([PROGRAM, "--port", str(standin.port)], capture_output=True, text=True,
                          timeout=TIMEOUT, check=False)
    assert done.returncode == 2 and f"127.0.0.1:{standin.port}" in done.stderr


def test_tls(start, tmp_path):
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
                   check=True, capture_output=True)
    server = start("--tls-cert", str(certificate), "--tls-key", str(key))
    assert server.greeting.endswith(f"https://127.0.0.1:{server.port}/v1")
    secure = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=TIMEOUT,
                                         context=ssl.create_default_context(cafile=certificate))
    assert server.ask("GET", "/v1/models", connection=secure).status == 200
    assert server.ask("POST", "/v1/completions", {"model": "standin-text", "prompt": RECORD},
                      connection=secure).status == 200
    secure.close()
