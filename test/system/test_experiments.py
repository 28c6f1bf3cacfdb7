"""The committed configs of the paper's experiments: the offline one runs, the paper's own plans
after imports over HTTP."""
import http.server
import json
import re
import socketserver
import subprocess
import threading

import pytest

from conftest import BUILD, ROOT, SHARED, loads

LISTS = ["random_GPT35_results", "random_GPT4_results", "neurons_to_evaluate",
         "random_interpretable_GPT4_results", "top20_GPT35_results", "Top1k_GPT35_results"]
FOLDER = ROOT / "tools" / "experiments"


def record(layer, index, hit):
    tokens = [f" t{(layer * 7 + index * 3 + i) % 50}" for i in range(64)]
    return {"dataclass_name": "ActivationRecord", "tokens": tokens,
            "activations": [round((i * 37 % 11) / 100 + (4 if hit and i == index % 64 else 0), 3)
                            for i in range(64)]}


def neuron(layer, index):
    return {"dataclass_name": "NeuronRecord",
            "neuron_id": {"layer_index": layer, "neuron_index": index},
            "random_sample": [record(layer, index + i, False) for i in range(15)],
            "random_sample_by_quantile": [[]] * 5,
            "quantile_boundaries": [None, 0.1, 1.0, 2.0, 3.0, None],
            "mean": 0.1, "variance": 1, "skewness": 0, "kurtosis": 0,
            "most_positive_activation_records": [record(layer, index + i, True) for i in range(20)]}


@pytest.fixture
def public():
    """A server of the public layout, for any neuron."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_GET(self):
            kind, layer, index = re.fullmatch(r"/data/([a-z-]+)/(\d+)/(\d+)\.jsonl?",
                                              self.path).groups()
            layer, index = int(layer), int(index)
            if kind == "explanations":
                scored = {"explanation": f"topic {index}",
                          "scored_simulation": {"ev_correlation_score": 0.4}}
                said = {"neuron_id": {"layer_index": layer, "neuron_index": index},
                        "scored_explanations": [scored]}
            else:
                said = neuron(layer, index)
            body = json.dumps(said).encode() + b"\n"
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/data"
    server.shutdown()
    server.server_close()


def test_the_papers_config_plans_after_imports(place, public):
    config = FOLDER / "paper.toml"
    (place.path / "published").mkdir()
    for number, name in enumerate(LISTS):
        rows = "".join(f"{layer},{number * 10 + i}\n" for layer in (0, 2) for i in range(2))
        (place.path / "published" / f"{name}.csv").write_text("layer,neuron\n" + rows)
    assert "gpt2-xl" in place.refused("plan", "-c", config)
    for name in LISTS:
        place.glia("import", "neurons", public, "-c", config, "--set", "gpt2-xl", "--neurons",
                   f"@published/{name}.csv")
    place.glia("import", "explanations", public, "-c", config, "--set", "gpt2-xl", "--as",
               "published")
    said = place.glia("plan", "-c", config).out
    assert "set random: 4 neurons of store:gpt2-xl (listed), layers 0-2; NONE of layer 1" in said
    assert re.search(r"time at the limits: \d", said) and re.search(r"disk: about \d", said)
    plan = loads(place.glia("plan", "-c", config, "--json").out)
    stages = {stage["stage"]: stage for stage in plan["stages"]}
    # 24 neurons with 5 formats; 28 puzzles with 2 explainers, 5 formats, 3 samples. 10
    # valid records, 5 + 5.
    assert stages["explain"]["jobs"] == 24 * 5 + 28 * 2 * 5 * 3
    assert stages["simulate"]["jobs"] >= 24 * 5 * 10 and \
        stages["adacs"]["jobs"] == stages["explain"]["jobs"]
    assert 0 < plan["expected_usd"] < plan["worst_usd"] and plan["hours"] > 0 and \
        plan["disk_bytes"] > 0
    assert plan["too_long"] == 0
    # A request carries 64 texts; each explanation and each baseline is one, and neurons of two
    # layers share theirs. Simulations are not kept raw.
    texts = stages["explain"]["jobs"] + 24 // 2 + 28
    assert stages["embed"]["jobs"] == texts and stages["embed"]["requests"] == -(-texts // 64)
    kept = loads(place.glia("plan", "-c", config, "--json", "--set",
                            "store.keep_raw=all").out)["disk_bytes"]
    assert kept > 5 * plan["disk_bytes"]
    (place.path / "published" / f"{LISTS[0]}.csv").unlink()
    assert LISTS[0] in place.refused("plan", "-c", config)


def test_the_published_lists_are_read(place):
    if not (SHARED / "paper").exists():
        pytest.skip("../shared/data/paper is not here")
    named = set(re.findall(r"published/(\w+\.csv)", (FOLDER / "paper.toml").read_text()))
    assert named == {path.name for path in (SHARED / "paper").iterdir()} & \
        {f"{name}.csv" for name in LISTS}
    assert named == {f"{name}.csv" for name in LISTS}


@pytest.mark.long  # all of it, at full size: test_sets, test_record and test_report have the parts
def test_make_experiments_offline(place):
    """What `make experiments` does, and that the committed example is such a report."""
    subprocess.run([FOLDER / "run.sh", BUILD / "glia", place.path / "out"], check=True,
                   env=place.env, capture_output=True, timeout=600)
    page = (place.path / "out/report/report.html").read_text()
    listed = {name: place.glia("export", "set", name, "-c", FOLDER / "experiments.toml", "--store",
                               "out/store").out.splitlines()
              for name in ("random", "interpretable", "top_per_layer", "top", "listed", "puzzles")}
    assert {name: len(rows) for name, rows in listed.items()} == \
        {"random": 24, "interpretable": 24, "top_per_layer": 15, "top": 12, "listed": 12,
         "puzzles": 28}
    assert all(loads(row)["score"] is not None for row in listed["random"] + listed["listed"])
    assert all(loads(row)["score"] >= 0.35 for row in listed["interpretable"])
    assert (place.path / "out/report/plot_layers-1.svg").exists()
    example = (FOLDER / "report.html").read_text()
    # Its numbers are of the build that made it; what it shows is not.
    shown = re.compile(r'<section id="[^"]*"|<h\d>[^<]*|<caption>[^<]*|<figcaption>[^<]*')
    assert shown.findall(page) == shown.findall(example), \
        "the committed report shows other things than a run's: copy it anew " \
        "(tools/experiments/README.md)"
