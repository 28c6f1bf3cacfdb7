"""The viewer by plain HTTP: who is let in, what is sent, what can be asked; and that it follows a
run."""
import csv
import json
import re
import statistics

import pytest
from conftest import DONE, FORMATS, INTERRUPTED, loads, start_sweep, wait_until
from viewer_server import Viewer

PAGES = ["/", "/neurons", "/compare", "/puzzle/instruments", "/study/anna"]


@pytest.fixture
def finished(place):
    """A small run that is over."""
    place.config(place.standin().url, limit=3)
    place.run()
    return place


def test_every_answer_is_guarded(finished):
    viewer = Viewer(finished, "--raters", "anna")
    for path in PAGES + ["/api/run", "/assets/app.js", "/nothing", "/api/study/anna/1"]:
        status, headers, body = viewer.ask(path)
        assert status == (404 if path == "/nothing" else 200), path
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "script-src 'self'" in policy and \
            "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff" and \
            headers["Cache-Control"] == "no-store"
        assert "Access-Control-Allow-Origin" not in headers
    for path in PAGES:
        page = viewer.ask(path)[2].decode()
        assert "text/html" in viewer.ask(path)[1]["Content-Type"]
        assert not re.search(r"<script(?![^>]*src=)|<style|\son\w+=|\sstyle=", page), \
            "no inline script or style"
        assert not re.search(r"(src|href)=\"(?![/#])", page), "nothing from elsewhere"


def test_names_origins_and_methods(finished):
    viewer = Viewer(finished, "--raters", "anna")
    own = f"http://127.0.0.1:{viewer.port}"
    assert viewer.ask("/api/run", host=f"localhost:{viewer.port}")[0] == 200
    assert viewer.ask("/api/run", host="evil.example")[0] == 421
    assert viewer.ask("/api/run", host=f"evil.example:{viewer.port}")[0] == 421
    assert viewer.ask("/api/run", Origin="http://evil.example")[0] == 403
    assert viewer.ask("/api/run", Origin=own)[0] == 200
    for method in ("PUT", "DELETE", "OPTIONS", "PATCH"):
        assert viewer.ask("/api/run", method, Origin=own)[0] == 405
    assert viewer.ask("/api/run", "POST", b"{}", Origin=own,
                      Content_Type="application/json")[0] == 405
    answers = "/api/study/anna/1"
    assert viewer.ask(answers, "POST", b"{}", Content_Type="application/json")[0] == 403
    assert viewer.ask(answers, "POST", b"{}", Origin=own, Content_Type="text/plain")[0] == 415
    assert viewer.ask(answers, "POST", b"{}", Origin=own, Content_Type="application/json")[0] == 400
    assert viewer.ask(answers, "POST", b"[" * 70000, Origin=own,
                      Content_Type="application/json")[0] == 413
    status, _, body = viewer.ask("/api/run", "HEAD")
    assert status == 200 and body == b""
    for path in ("/assets/../../../config.toml", "/assets/%2e%2e/%2e%2e/config.toml",
                 "/api/neuron?id=%00", "/%",
                 "/api/neurons?sort=evil", "/api/neurons?set=no", "/api/exchange?chain=1e9",
                 "/api/study/" + "x" * 400):
        assert 400 <= viewer.ask(path)[0] < 500, path


def test_other_addresses_need_a_token(finished):
    secret = finished.path / "token"
    secret.write_text("correct-horse-battery\n")
    assert "--token-file" in finished.refused("viewer", "--address", "0.0.0.0", "--port", 0)
    (finished.path / "short").write_text("abc\n")
    assert "16" in finished.refused("viewer", "--address", "0.0.0.0", "--port", 0, "--token-file",
                                    "short")
    viewer = Viewer(finished, "--address", "0.0.0.0", "--token-file", secret)
    assert viewer.ask("/")[0] == viewer.ask("/api/run")[0] == viewer.ask("/assets/app.js")[0] == 401
    assert viewer.ask("/?token=correct-horse-batterx")[0] == 401
    status, headers, _ = viewer.ask("/neurons?token=correct-horse-battery")
    assert status == 303 and headers["Location"] == "/neurons"
    assert "HttpOnly" in headers["Set-Cookie"] and "SameSite=Strict" in headers["Set-Cookie"]
    cookie = headers["Set-Cookie"].split(";")[0]
    assert viewer.ask("/neurons", Cookie=cookie)[0] == 200
    assert viewer.ask("/neurons", Authorization="Bearer correct-horse-battery")[0] == 200
    assert "correct-horse" not in viewer.program.out + viewer.program.err


def test_lists_and_neurons(finished):
    viewer = Viewer(finished)
    def indexed():
        said = viewer.json("/api/neurons?sort=spread&descending=1")
        return said["seen"] == said["total"] and said

    said = wait_until(indexed, "the index")
    rows = said["neurons"]
    assert said["total"] == said["matches"] == len(rows) == 3
    assert [row["spread"] for row in rows] == sorted((row["spread"] for row in rows), reverse=True)
    scores = {}
    for line in finished.glia("export", "scores").out.splitlines():
        row = json.loads(line)
        scores.setdefault(row["id"], {})[row["format"]] = row
    for row in rows:
        mine = scores[row["id"]]
        assert row["scores"] == pytest.approx([mine[name]["score"] for name in FORMATS], abs=2e-6)
        assert row["adacs"] == pytest.approx([mine[name]["adacs"] for name in FORMATS], abs=2e-6)
        assert row["best"] == pytest.approx(max(row["scores"]), abs=2e-6)
    name = rows[0]["id"]
    assert viewer.json(f"/api/neurons?text={name[:4]}")["neurons"][0]["id"].startswith(name[:4])
    assert viewer.json("/api/neurons?least=2")["matches"] == 0
    neuron = viewer.json(f"/api/neuron?id={name}")
    assert [chain["format"] for chain in neuron["chains"]] == FORMATS
    for chain in neuron["chains"]:
        assert chain["text"] == scores[name][chain["format"]]["explanation"]
        assert len(chain["simulated"]) == scores[name][chain["format"]]["records"]
        assert chain["explain_usd"] > 0 and chain["simulate_usd"] > 0
    exchange = viewer.json(f"/api/exchange?chain={neuron['chains'][0]['number']}")
    assert exchange["messages"][-1]["role"] == "user" and \
        "<start>" in exchange["messages"][-1]["content"]
    answer = json.loads(exchange["answer"])["choices"][0]["message"]["content"]
    assert answer.strip() == neuron["chains"][0]["text"]
    simulation = viewer.json(f"/api/exchange?chain={neuron['chains'][0]['number']}&record=0")
    assert neuron["chains"][0]["text"] in simulation["messages"][0]["content"]
    assert viewer.ask(f"/api/exchange?chain={neuron['chains'][0]['number']}&record=99")[0] == 404
    compared = viewer.json("/api/compare?set=puzzles")
    table = {f["name"]: s for f, s in zip(compared["formats"], compared["summary"])}
    for name in FORMATS:
        mean = sum(rows[name]["score"] for rows in scores.values()) / 3
        assert table[name]["score"] == pytest.approx(mean, abs=1e-6) and table[name]["scored"] == 3


def test_an_imported_baseline_has_its_score(place):
    record = {"tokens": ["red", " blue"], "activations": [0.5, 4.5]}
    (place.path / "neurons.jsonl").write_text(json.dumps({
        "neuron_id": {"layer_index": 5, "neuron_index": 131},
        "most_positive_activation_records": [record] * 20,
        "random_sample": [record] * 15, "quantile_boundaries": [0.1, 0.2, 0.3, 0.4]}) + "\n")
    (place.path / "baselines.csv").write_text(
        "layer,neuron,score,explanation\n5,131,0.625,the colour blue\n")
    place.config(place.standin().url, limit=1, mode=None,
                 extra='[sets.own]\nsource = "neurons.jsonl"\nbaseline = "published"\n')
    place.glia("import", "explanations", "baselines.csv", "--as", "published")
    place.run()
    neuron = Viewer(place).json("/api/neuron?layer=5&neuron=131")
    assert neuron["baseline"] == "the colour blue" and neuron["baseline_score"] == 0.625


def test_follows_a_live_run(place):
    """Numbers move while the run writes, events come by themselves, and the end is seen without a
    new start."""
    standin = place.standin("--latency", "fixed:40")
    place.config(standin.url, limit=None, endpoint="concurrency = 4")
    glia = start_sweep(place, standin, 20)
    viewer = Viewer(place)

    def explained():
        return sum(row["explained"] for row in viewer.json("/api/neurons")["neurons"])

    first = wait_until(explained, "the first explanations")
    wait_until(lambda: explained() > first, "more explanations")
    assert viewer.json("/api/run")["status"]["live"]
    assert viewer.json("/api/rates")["attempts"] > 0
    glia.signal(2)
    glia.wait(INTERRUPTED)
    wait_until(lambda: viewer.json("/api/run")["status"]["state"] == "interrupted",
               "the end to be seen")
    before = explained()
    standin.faults()
    place.run("--set", "sets.puzzles.limit=4", code=DONE)

    def caught_up():
        said = viewer.json("/api/neurons")
        return said["total"] == said["seen"] == 4 and said

    said = wait_until(caught_up, "the new start")
    assert sum(row["explained"] for row in said["neurons"]) == 4 * len(FORMATS) and before > 0


def test_study_only_serves_nothing_else(finished):
    viewer = Viewer(finished, "--study-only", "--raters", "anna,ben", "--overlap", 1)
    for path in ("/", "/neurons", "/compare", "/puzzle/instruments", "/api/run", "/api/run/events",
                 "/api/neurons",
                 "/api/neuron?id=instruments", "/api/exchange?chain=0", "/api/good", "/api/rates"):
        assert viewer.ask(path)[0] == 404, path
    assert viewer.ask("/study/anna")[0] == viewer.ask("/api/study/anna")[0] == 200
    assert viewer.ask("/api/study/nobody")[0] == 404
    viewer.kill()
    # The study stands alone: it is served without the run's store.
    (finished.path / "store" / "study").rename(finished.path / "moved")
    (finished.path / "store").rename(finished.path / "gone")
    viewer.options = ("--study-only", "--study", "moved")
    viewer.start()
    assert viewer.json("/api/study/ben/1")["count"] == 3


def test_study_is_blind(finished):
    """What a rater gets, byte for byte, names neither format, model nor neuron, and differs between
    raters in order."""
    viewer = Viewer(finished, "--raters", "anna,ben", "--overlap", 1)
    names = [row["id"] for row in viewer.json("/api/neurons")["neurons"]]
    told = re.compile(
        "|".join(["_summary", "avhs", "standin", "format", "original", "puzzle", *names]))
    orders = {}
    for rater in ("anna", "ben"):
        for page in range(1, 4):
            body = viewer.ask(f"/api/study/{rater}/{page}")[2].decode()
            said = json.loads(body)
            assert set(said) == {"count", "done", "next", "page", "excerpts", "most",
                                 "explanations"}
            assert all(set(explanation) == {"name", "text"} for explanation in said["explanations"])
            bare = body
            for text in [e["text"] for e in said["explanations"]] + \
                [json.dumps(e["tokens"]) for e in said["excerpts"]]:
                bare = bare.replace(json.dumps(text, ensure_ascii=False), "").replace(text, "")
            assert not told.search(bare), told.search(bare)
            excerpts = json.dumps(said["excerpts"])
            orders.setdefault(excerpts, []).append([e["text"] for e in said["explanations"]])
    assert len(orders) == 3 and all(sorted(a) == sorted(b) for a, b in orders.values())
    assert any(a != b for a, b in orders.values())


def test_identical_texts_merged(finished):
    viewer = Viewer(finished, "--raters", "anna", "--merge")
    own = f"http://127.0.0.1:{viewer.port}"
    for page in range(1, 4):
        said = viewer.json(f"/api/study/anna/{page}")
        texts = [e["text"] for e in said["explanations"]]
        assert len(set(texts)) == len(texts)
        answer = {"ratings": {e["name"]: 1 + i % 5 for i, e in enumerate(said["explanations"])},
                  "best": said["explanations"][0]["name"]}
        assert viewer.ask(f"/api/study/anna/{page}", "POST", json.dumps(answer).encode(),
                          Origin=own, Content_Type="application/json")[0] == 200
    rows = [line.split(",") for line in finished.glia("export", "study").out.splitlines()[1:]]
    assert len(rows) == 15
    for name in {row[3] for row in rows}:
        assert sum(float(row[7]) for row in rows if row[3] == name) == pytest.approx(1)
    assert "already" in finished.refused("viewer", "--raters", "carl", "--port", 0)


def rate(viewer, rater, ratings_of):
    """Answers a rater's pages; returns the rating of each explanation, and whether it was the best
    one."""
    given = []
    while page := viewer.json(f"/api/study/{rater}")["next"]:
        said = viewer.json(f"/api/study/{rater}/{page}")
        ratings = {e["name"]: ratings_of(e["text"]) for e in said["explanations"]}
        best = max(said["explanations"], key=lambda e: (ratings[e["name"]], e["text"]))
        body = json.dumps({"ratings": ratings, "best": best["name"]}).encode()
        status, _, _ = viewer.ask(f"/api/study/{rater}/{page}", "POST", body,
                                  Origin=f"http://127.0.0.1:{viewer.port}",
                                  Content_Type="application/json")
        assert status == 200
        given += [(ratings[e["name"]], int(e is best)) for e in said["explanations"]]
    return given


def ordinal_alpha(units):
    """Krippendorff's alpha of ordinal ratings, from pairs within units of two ratings each."""
    values = sorted({value for unit in units for value in unit})
    total = {value: sum(unit.count(value) for unit in units) for value in values}

    def distance(a, b):
        a, b = min(a, b), max(a, b)
        between = sum(total[v] for v in values if a <= v <= b) - (total[a] + total[b]) / 2
        return between ** 2 if a != b else 0

    count = sum(total.values())
    observed = sum(2 * distance(*unit) for unit in units) / count
    expected = sum(total[a] * total[b] * distance(a, b) for a in values
                   for b in values) / (count * (count - 1))
    return 1 - observed / expected


def test_the_study_becomes_table_5(place):
    """Answers given page by page, exported, and read by the report: means, shares, agreement and
    the test of the choices."""
    place.config(place.standin().url, limit=6, mode=None, adacs=False)
    place.run()
    viewer = Viewer(place, "--study-only", "--raters", "anna,ben", "--overlap", 0.5)
    given = {"anna": rate(viewer, "anna", lambda text: 1 + len(text) % 5),
             "ben": rate(viewer, "ben", lambda text: 1 + (len(text) + sum(map(ord, text)) % 2) % 5)}
    viewer.kill()
    place.glia("export", "study", "--out", "study.csv")
    rows = list(csv.DictReader((place.path / "study.csv").open()))
    assert list(rows[0]) == ["rater", "set", "layer", "neuron", "overlap", "format", "rating",
                             "best"]
    for rater in given:
        kept = [(int(row["rating"]), int(row["best"])) for row in rows if row["rater"] == rater]
        assert sorted(kept) == sorted(given[rater])
    tables = {table["key"]: table for table
              in loads(place.glia("report", "--json", "--study", "study.csv").out)["results"]}
    chosen = {name: sum(row["best"] == "1" for row in rows if row["format"] == name)
              for name in FORMATS}
    assert sum(chosen.values()) == 9  # 6 neurons, 3 of them rated twice
    for row in tables["study"]["rows"]:
        ratings = [int(said["rating"]) for said in rows if said["format"] == row["format"]]
        assert row["ratings"] == len(ratings) == 9
        assert float(row["rating"]["mean"]) == pytest.approx(statistics.mean(ratings))
        assert float(row["rating"]["se"]) == pytest.approx(statistics.stdev(ratings) / 3)
        assert float(row["best"]) == chosen[row["format"]]
        assert float(row["best_share"]) == pytest.approx(chosen[row["format"]] / 9)
    both = {}
    for row in rows:
        both.setdefault((row["neuron"], row["format"]), []).append(int(row["rating"]))
    tests = tables["study_tests"]["rows"][0]
    units = [ratings for ratings in both.values() if len(ratings) == 2]
    assert (tests["raters"], tests["neurons"], tests["overlap"]) == (2, 6, len(units)) and \
        len(units) == 15
    assert float(tests["alpha"]) == pytest.approx(ordinal_alpha(units))
    assert float(tests["chi_squared"]) == \
        pytest.approx(sum((n - 9 / 5) ** 2 / (9 / 5) for n in chosen.values()))
    assert tests["freedom"] == 4
    assert "raters: anna, ben" in place.glia("report", "--study", "study.csv").out


def test_says_what_is_wrong(place):
    assert "no store" in place.refused("viewer", "--store", "nowhere", "--port", 0)
    place.config(place.standin().url, limit=1, formats=["original"], mode=None, adacs=False)
    place.run()
    assert "--port" in place.refused("viewer", "--port", "99999")
    assert "--overlap" in place.refused("viewer", "--raters", "a", "--overlap", "2", "--port", 0)
    assert "twice" in place.refused("viewer", "--raters", "a,a", "--port", 0)
    assert "no set" in place.refused("viewer", "--raters", "a", "--study-set", "none", "--port", 0)
    assert "no study" in place.refused("viewer", "--study-only", "--port", 0)
    assert "no study" in place.refused("export", "study")
    viewer = Viewer(place)
    assert str(viewer.port) in place.refused("viewer", "--port", viewer.port)
