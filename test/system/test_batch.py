"""glia batch: a Batch-API file against the stand-in, killed, capped, mended, and always the same
results."""
import json
import random
import re
import signal
import subprocess

import pytest
from conftest import AT_CAP, BY_WORLD, DONE, INTERRUPTED, USAGE, WITH_FAILURES, bill_holds, \
    wait_until

URLS = {"chat": "/v1/chat/completions", "text": "/v1/completions", "embedding": "/v1/embeddings"}
PRICES = ("--price-in", "0.50", "--price-out", "1.50")


def request(custom_id, kind="chat", url=None, method="POST", **body):
    body = {"model": f"standin-{kind}", **body}
    return json.dumps({"custom_id": custom_id, "method": method, "url": url or URLS[kind],
                       "body": body})


def chat(number, custom_id=None, **body):
    body = {"messages": [{"role": "user", "content": f"question {number}"}], "max_tokens": 12,
            **body}
    return request(custom_id or f"id-{number}", **body)


def write(place, lines, name="in.jsonl"):
    (place.path / name).write_text("".join(line + "\n" for line in lines))


def arguments(url, *more, model="standin-chat", budget="5.00", out="out.jsonl"):
    return ("batch", "--quiet", "--in", "in.jsonl", "--out", out, "--endpoint", url, "--model",
            model, *PRICES, "--budget", budget, *more)


def batch(place, url, *more, code=DONE, **options):
    return place.glia(*arguments(url, *more, **options), code=code)


def results(place, name="out.jsonl"):
    text = (place.path / name).read_text()
    assert text == "" or text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def raw(place, name="out.jsonl"):
    return (place.path / name).read_bytes()


def money_holds(place, standin, store="out.jsonl.glia"):
    rows = place.ledger("--store", store)["by_run"]
    settled, doubts, reserved = (sum(float(row[key]) for row in rows)
                                 for key in ("settled_usd", "doubts_usd", "reserved_usd"))
    assert reserved == 0
    bill = float(standin.bill())
    assert settled <= bill + 1e-12 and bill <= settled + doubts + 1e-12
    place.fsck("--store", store)
    return settled, doubts


def test_whole_file(place):
    standin = place.standin()
    lines = [chat(i) for i in range(200)]
    write(place, lines)
    done = batch(place, standin.url)
    assert "200 lines" in done.err
    answers = results(place)
    assert [answer["custom_id"] for answer in answers] == [f"id-{i}" for i in range(200)]
    for answer in answers:
        assert set(answer) == {"id", "custom_id", "response", "error"} and answer["error"] is None
        assert answer["id"].startswith("batch_req_") and answer["response"]["request_id"]
        assert answer["response"]["status_code"] == 200
        body = answer["response"]["body"]
        assert body["object"] == "chat.completion" and body["choices"][0]["message"]["content"]
    assert len({answer["id"] for answer in answers}) == 200
    assert len(standin.bills()) == 200 and standin.asked_again() == 0
    settled, doubts = money_holds(place, standin)
    assert doubts == 0 and settled == pytest.approx(float(standin.bill()))

    before = raw(place)
    again = batch(place, standin.url)
    assert raw(place) == before and len(standin.bills()) == 200
    assert "0 of them parsed" in again.err
    (place.path / "out.jsonl").unlink()
    batch(place, standin.url)
    assert raw(place) == before and len(standin.bills()) == 200
    status = place.status("--store", "out.jsonl.glia")
    assert "batch" in json.dumps(status, default=str)


def test_every_kind_and_bodies_as_they_are(place):
    standin = place.standin()
    relay = place.relay(standin.port)
    own = '{ "messages":[{"role":"user","content":"caf\\u00e9"}], "max_tokens" : 5,' \
          '"model":"known", "temperature":0.50}'
    write(place,
          ['{"custom_id":"own","method":"POST","url":"/v1/chat/completions","body":' + own + "}",
           request("text", "chat", url=URLS["text"], prompt="once upon", max_tokens=4).replace(
               "standin-chat", "known"),
           request("embed", "chat", url=URLS["embedding"],
                   input="a b").replace("standin-chat", "known"),
           request("default", messages=[]).replace("standin-chat", "known")])
    (place.path / "own.toml").write_text(f"""
[budget]
total_usd = 1
[endpoints.relay]
base_url = "{relay.url}"
concurrency = 1
[models.known]
endpoints = ["relay"]
wire_name = "standin-chat"
max_output_tokens = 9
max_tokens_key = "max_completion_tokens"
price = {{ input = 0.5, output = 1.5 }}
""")
    place.glia("batch", "-q", "--in", "in.jsonl", "--out", "out.jsonl", "-c", "own.toml", code=None)
    sent = {arrival.path: arrival.body.decode() for arrival in relay.arrivals}
    assert own.replace('"known"',
                       '"standin-chat"') in [arrival.body.decode() for arrival in relay.arrivals]
    assert json.loads(sent[URLS["text"]])["max_tokens"] == 4
    assert "max_tokens" not in json.loads(sent[URLS["embedding"]])
    last = [json.loads(arrival.body) for arrival in relay.arrivals
            if arrival.path == URLS["chat"]][-1]
    assert last["max_completion_tokens"] == 9
    assert [answer["custom_id"] for answer in results(place)] == ["own", "text", "embed", "default"]


def test_repeated_lines_are_samples(place):
    standin = place.standin()
    write(place, [chat(i % 3, custom_id=f"line {i}") for i in range(12)])
    batch(place, standin.url)
    assert len(standin.bills()) == 12 and standin.asked_again() == 9
    assert len({answer["id"] for answer in results(place)}) == 12
    # other ids, another order of keys, the same questions: nothing is bought
    reordered = [json.dumps(json.loads(chat(i % 3, custom_id=f"new {i}")), sort_keys=True)
                 for i in range(12)]
    write(place, reordered)
    said = batch(place, standin.url, code=USAGE).err
    assert "line 1 of in.jsonl" in said and "out.jsonl" in said
    batch(place, standin.url, "--store", "out.jsonl.glia", out="new.jsonl")
    assert [answer["custom_id"] for answer in results(place, "new.jsonl")] == \
        [f"new {i}" for i in range(12)]
    assert [answer["id"] for answer in results(place, "new.jsonl")] == \
        [answer["id"] for answer in results(place)]
    assert len(standin.bills()) == 12
    # a thirteenth and fourteenth sample are bought, and only they
    write(place, reordered + [chat(0, custom_id="more"), chat(0, custom_id="still more")])
    batch(place, standin.url, "--store", "out.jsonl.glia", out="new.jsonl")
    assert len(standin.bills()) == 14 and len(results(place, "new.jsonl")) == 14


def test_malformed_lines_by_number(place):
    standin = place.standin()
    bad = {
        2: "{not json",
        4: request("model", model="unknown", max_tokens=3),
        5: request("get", method="GET", max_tokens=3),
        7: chat(7, n=3),
        9: chat(9, stream=True),
        10: request("no-maximum", messages=[{"role": "user", "content": "how long?"}]),
        12: json.dumps([1, 2]),
        13: request("url", url="/v1/files", max_tokens=3),
    }
    lines = [bad.get(number, chat(number)) for number in range(1, 15)]
    lines[5] = ""  # line 6: blank, and nothing is answered for it
    write(place, lines)
    done = batch(place, standin.url, code=WITH_FAILURES)
    named = [int(number) for number in re.findall(r"\bline (\d+): invalid_line", done.err)]
    assert sorted(named) == sorted(bad)
    assert "repeat the line" in done.err and "output maximum" in done.err
    answers = results(place)
    assert len(answers) == 13 and len(standin.bills()) == 13 - len(bad)
    numbers = [number for number in range(1, 15) if number != 6]
    for number, answer in zip(numbers, answers):
        assert (answer["error"] is not None) == (number in bad)
        if number in bad:
            assert answer["response"] is None and answer["error"]["code"] == "invalid_line"
    assert answers[numbers.index(10)]["custom_id"] == "no-maximum" and \
        answers[1]["custom_id"] is None
    before = raw(place)
    again = batch(place, standin.url, code=WITH_FAILURES)
    assert raw(place) == before and "invalid_line" not in again.err
    # with a maximum from the options, tried again: what was answered stays, one more is bought
    batch(place, standin.url, "--max-output-tokens", "5", "--retry-failed", code=WITH_FAILURES)
    assert len(standin.bills()) == 13 - len(bad) + 1
    after = results(place)
    assert after[numbers.index(10)]["response"]["status_code"] == 200
    assert [a for a, b in zip(after, answers) if a != b] == [after[numbers.index(10)]]


def test_refusals_are_final_and_failures_for_now_are_not(place):
    standin = place.standin()
    down = {"on": True}

    def answer(number, arrival):
        text = arrival.body.decode()
        if "question 3" in text:
            error = {"error": {"message": "too rude", "type": "invalid_request_error",
                               "code": "rude"}}
            return 400, {"Content-Type": "application/json"}, json.dumps(error).encode()
        if down["on"] and "question 5" in text:
            return 409, {"Content-Type": "application/json"}, b'{"error":{"message":"busy"}}'
        return None

    relay = place.relay(standin.port, answer)
    write(place, [chat(i) for i in range(8)])
    done = batch(place, relay.url, "--set", "run.max_tries=2", code=BY_WORLD)
    assert "run again" in done.err
    answers = results(place)
    assert len(answers) == 5
    assert answers[3]["response"]["status_code"] == 400
    assert answers[3]["error"] == {"code": "rude", "message": "too rude"}
    bills = len(standin.bills())
    assert bills == 6
    down["on"] = False
    batch(place, relay.url, "--set", "run.max_tries=2", code=WITH_FAILURES)
    assert len(results(place)) == 8 and results(place)[:5] == answers
    assert len(standin.bills()) == bills + 1
    place.fsck("--store", "out.jsonl.glia")


def test_a_wrong_address_is_not_asked_forever(place):
    standin = place.standin()
    write(place, [chat(i) for i in range(500)])
    said = batch(place, standin.url.removesuffix("/v1"), code=USAGE).err
    assert "404" in said and "--retry-failed" in said
    # those that are on their way then are answered
    assert len(results(place)) < 300 and standin.bills() == []
    batch(place, standin.url, "--retry-failed")
    assert [answer["error"] for answer in results(place)] == [None] * 500
    assert len(standin.bills()) == 500


def test_cap_pauses_and_resumes(place):
    standin = place.standin()
    write(place, [chat(i) for i in range(60)])
    said = batch(place, standin.url, budget="0.0006", code=AT_CAP).err
    assert "budget.total_usd" in said
    some = raw(place)
    # Which lines were bought first is up to the workers, so the results may end
    # before the first line.
    assert len(results(place)) < 60 and 0 < len(standin.bills()) < 60
    settled, doubts = money_holds(place, standin)
    assert 0 < settled <= 0.0006
    batch(place, standin.url)
    assert raw(place).startswith(some) and len(results(place)) == 60
    assert standin.asked_again() == 0 and len(standin.bills()) == 60


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    from conftest import Place
    its = Place(tmp_path_factory.mktemp("undisturbed"))
    try:
        standin = its.standin("--seed", "5")
        write(its, kill_lines())
        batch(its, standin.url, code=WITH_FAILURES)
        return raw(its), standin.bill()
    finally:
        its.close()


def kill_lines():
    return ["rubbish" if i % 50 == 7 else chat(i // 2, custom_id=f"id {i}") for i in range(400)]


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.long)])
def test_killed_and_resumed(place, undisturbed, seed):
    """Twelve SIGKILLs, the results file torn after each: the bytes are those of a night without
    them."""
    rng = random.Random(seed)
    standin = place.standin("--seed", "5", "--latency", "uniform:20,60")
    write(place, kill_lines())
    options = arguments(standin.url, "--concurrency", "4", "--set", "budget.doubts_usd=4")
    kills = 0
    out = place.path / "out.jsonl"
    while kills < 12:
        glia = place.start(*options)
        try:
            glia.process.wait(rng.uniform(0.0, 0.5))
        except subprocess.TimeoutExpired:
            pass
        assert glia.running(), glia.err
        glia.end()
        kills += 1
        assert glia.process.returncode == -signal.SIGKILL
        if out.exists():
            text = out.read_bytes()
            assert undisturbed[0].startswith(text)
            out.write_bytes(text[:len(text) - rng.randrange(min(len(text), 300) + 1)])
    place.glia(*options, code=WITH_FAILURES)
    assert out.read_bytes() == undisturbed[0]
    settled, doubts = money_holds(place, standin)
    # each line has one answer; what the provider billed beyond that was in flight when the plug was
    # pulled, and what is in doubt beyond that was reserved ahead: never more than there are places
    asked_twice = len(standin.bills()) - (400 - 8)
    listed = place.ledger("--store", "out.jsonl.glia")["doubts"]
    assert 0 <= asked_twice <= len(listed) <= 2 * 12 * 4
    assert settled == pytest.approx(float(undisturbed[1]))


def test_ctrl_c(place):
    standin = place.standin("--latency", "fixed:100")
    write(place, [chat(i) for i in range(200)])
    glia = place.start(*arguments(standin.url, "--concurrency", "4"))
    wait_until(lambda: not glia.running() or len(standin.bills()) > 10, "the first answers")
    glia.signal(signal.SIGINT)
    glia.wait(INTERRUPTED)
    answered = len(standin.bills())
    assert len(results(place)) <= answered < 200  # a line that is slow holds up those behind it
    money_holds(place, standin)
    standin.faults(latency="fixed:0")
    batch(place, standin.url)
    assert len(results(place)) == 200 and len(standin.bills()) == 200


def test_limits_are_obeyed(place):
    standin = place.standin()
    write(place, [chat(i) for i in range(30)])
    glia = place.start(*arguments(standin.url, "--rpm", "600", "--tpm", "100000", "--concurrency",
                                  "2"))
    glia.wait(DONE)
    outcomes = standin.outcomes()
    assert all("429" not in str(name) or count == 0 for name, count in
               (outcomes.items() if isinstance(outcomes, dict) else []))
    assert len(results(place)) == 30


def test_a_finished_file_is_not_parsed_again(place):
    """Most lines cannot be used, which makes them final at no cost; the rest was answered."""
    standin = place.standin()
    count = 200000
    with open(place.path / "in.jsonl", "w") as file:
        for i in range(count):
            file.write(chat(i) + "\n" if i % 1000 == 0 else f'{{"custom_id":"{i}"}}\n')
    batch(place, standin.url, code=WITH_FAILURES)
    bills = len(standin.bills())
    assert bills == count // 1000
    before = raw(place)
    assert before.count(b"\n") == count
    said = batch(place, standin.url, code=WITH_FAILURES).err
    assert f"{count} requests read, 0 of them parsed" in said
    assert raw(place) == before and len(standin.bills()) == bills


def test_the_results_file_is_not_somebody_elses(place):
    standin = place.standin()
    write(place, [chat(0)])
    letter = place.path / "letter.txt"
    letter.write_text("Dear Sir")
    assert "letter.txt" in place.refused(*arguments(standin.url, out="letter.txt"))
    assert letter.read_text() == "Dear Sir"
    assert "same file" in place.refused(*arguments(standin.url, out="in.jsonl"))
    assert len((place.path / "in.jsonl").read_text()) > 10
    assert "in.jsonl" in place.refused("batch", "--in", "missing/in.jsonl",
                                       *arguments(standin.url)[4:])
    assert standin.bills() == []


@pytest.mark.parametrize("options, word", [
    ((), "--in"),
    (("--in", "in.jsonl"), "--out"),
    (("--in", "in.jsonl", "--out", "o", "--endpoint", "standin:"), "--model"),
    (("--in", "in.jsonl", "--out", "o", "--endpoint", "standin:", "--model", "m"), "--budget"),
    (("--in", "in.jsonl", "--out", "o", "--endpoint", "standin:", "--model", "m", "--budget", "1"),
     "price"),
    (("--in", "in.jsonl", "--out", "o", "--endpoint", "nowhere", "--model", "m", "--budget", "1",
      "--unpriced"),
     "nowhere"),
    (("--in", "in.jsonl", "--out", "o", "--model", "m", "--config", "x.toml"), "--config"),
    (("--in", "in.jsonl", "--out", "o", "--endpoint", "standin:", "--model", "m", "--budget", "1",
      "--unpriced", "--rpm", "0"), "rpm"),
    (("--in", "in.jsonl", "--out", "o", "--endpoint", "standin:", "--model", "m", "--budget", "1",
      "--unpriced", "--key-env", "NO_SUCH_KEY"), "NO_SUCH_KEY"),
])
def test_senseless_options(place, options, word):
    write(place, [chat(0)])
    assert word in place.refused("batch", *options)
    assert not (place.path / "o").exists()
