"""Reports as files: drawings that parse, the human study, and refusals."""
import collections
import csv
import json
import re
import statistics
import xml.etree.ElementTree as ElementTree

import pytest

from conftest import FORMATS, ROOT, SHARED

STUDY = "rater,set,layer,neuron,overlap,format,rating,best\n" + "".join(
    f"{rater},s,0,{neuron},1,{form},{rating},{int(rating == 5)}\n"
    for rater in ("ann", "bob") for neuron in (1, 2)
    for form, rating in (("original", 2), ("summary", 5), ("avhs", 3)))


def test_report_as_files(place):
    standin = place.standin()
    place.config(standin.url, limit=4, formats=["original", "summary"])
    place.run()
    place.glia("report", "--out", "out")
    drawings = sorted(place.path.glob("out/*.svg"))
    assert [path.name for path in drawings] == [f"plot_{kind}-1.svg"
                                                for kind in ("adacs", "paired", "price", "scores")]
    for path in drawings:
        root = ElementTree.fromstring(path.read_text())
        assert root.tag == "{http://www.w3.org/2000/svg}svg" and root[0].text
    page = (place.path / "out/report.html").read_text()
    assert page.count("<svg ") == len(drawings)
    assert not re.search(r"https?://|<script|@import|url\(|\bsrc=", page)
    place.glia("report", "--out", "again")
    for path in [*drawings, place.path / "out/paired.csv"]:
        assert (place.path / "again" / path.name).read_bytes() == path.read_bytes()


def test_human_study(place):
    standin = place.standin()
    place.config(standin.url, limit=1, formats=["original", "summary"], mode=None)
    place.run()
    (place.path / "study.csv").write_text(STUDY)
    tables = {table["key"]: table for table
              in json.loads(place.glia("report", "--json", "--study", "study.csv").out)["results"]}
    rows = {row["format"]: row for row in tables["study"]["rows"]}
    assert rows["summary"]["rating"]["mean"] == 5 and rows["summary"]["best_share"] == 1
    tests = tables["study_tests"]["rows"][0]
    assert tests["alpha"] == 1 and abs(tests["chi_squared"] - 8) < 1e-9 and tests["overlap"] == 6
    ranks = [row for row in tables["ranks"]["rows"] if row["set"] == "study"][0]
    assert (ranks["summary"], ranks["avhs"], ranks["original"],
            ranks["highlight"]) == (1, 2, 3, None)
    (place.path / "bad.csv").write_text(STUDY + "ann,s,0,1,1,original,7,0\n")
    said = place.refused("report", "--study", "bad.csv")
    assert "bad.csv:14" in said and "7" in said
    assert "nothere.csv" in place.refused("report", "--study", "nothere.csv")


def test_beside_the_paper(place):
    standin = place.standin()
    place.config(standin.url, limit=2, formats=["original", "summary"])
    place.run()
    report = json.loads(place.glia("report", "--json", "--beside", "paper").out)
    beside = [table for table in report["results"] if table["key"] == "beside"]
    # of puzzles only the tokens
    assert [table["group"]["over"] for table in beside] == ["all neurons", "5 neurons"]
    own = {table["key"]: table for table in report["results"]}["tokens"]["rows"]
    for row, mine, paper in zip(beside[0]["rows"], own, (2338, 959)):
        assert row["paper"] == paper and row["run"] == mine["total_tokens"]
        assert abs(row["paper_ratio"] - paper / 2338) < 1e-9 and \
            abs(row["run_ratio"] - mine["total_ratio"]) < 1e-9
    rows = {t["key"]: t for t in report["results"]}["beside_setup"]["rows"]
    setup = {(row["what"], row["whose"]): row["value"] for row in rows}
    assert "GPT-2 XL" in setup["subject model", "paper"] and \
        setup["subject model", "this run"] == "puzzles:"
    assert [row["paper_usd"]
            for row in {t["key"]: t for t in report["costs"]}["beside_costs"]["rows"]] == \
                [2.5, 200, 80, 0.02]
    place.glia("report", "--beside", "paper", "--out", "out")
    assert "--beside" in place.refused("report", "--beside", "book")


def test_the_papers_figures_are_the_published_ones():
    """Every number of paper.json that the published data has: means of the five neurons, and the
    size of each set."""
    if not (SHARED / "paper").exists():
        pytest.skip("../shared/data/paper is not here")

    def read(name):
        return list(csv.DictReader((SHARED / "paper" / f"{name}.csv").open()))

    paper = json.loads((ROOT / "tools" / "report" / "paper.json").read_text())
    columns = dict(zip(FORMATS, ("Original", "Summary", "Highlight", "HighlightSummary", "AVHS")))
    files = {"total_tokens": ("test_neurons_tokens", 1), "score": ("test_neurons_results_score", 3),
             "adacs": ("test_neurons_results_adaCS", 4)}
    five = [figure for figure in paper["figures"] if figure["over"] == "5 neurons"]
    assert [figure["key"] for figure in five] == list(files)
    for figure in five:
        name, digits = files[figure["key"]]
        for form, column in columns.items():
            mean = statistics.mean(float(row[column]) for row in read(name))
            assert figure["values"][form] == round(mean, digits), (name, form)

    def layers(name):
        return collections.Counter(int(row.get("layer") or row["Layer"]) for row in read(name))

    assert layers("neurons_to_evaluate") == layers("random_interpretable_GPT35_results") == \
        {i: 20 for i in range(48)}
    assert layers("random_GPT35_results") == layers("top20_GPT35_results") == \
        {i: 20 for i in range(48) if i != 31}
    assert layers("random_GPT4_results") == layers("random_interpretable_GPT4_results") == \
        {i: 5 for i in range(48)}
    assert len(read("Top1k_GPT35_results")) == 1000 and len(read("puzzles_GPT35_results")) == 19 * 3
    neurons = "20 a layer: interpretable, random and top (both without layer 31); top 1000; " \
        "19 puzzles"
    assert paper["setup"]["neurons"] == neurons and paper["setup"]["samples"] == "1; of puzzles 3"
    assert paper["setup"]["explainers"] == "gpt-3.5-turbo; gpt-4 on 5 a layer of the random ones"
    assert all(float(row["score"]) >= 0.35 for row in read("neurons_to_evaluate"))
