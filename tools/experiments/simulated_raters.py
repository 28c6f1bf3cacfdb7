#!/usr/bin/python3
"""simulated_raters.py GLIA CONFIG RUN SET OUT.csv - a blinded study of a run, rated by no people.

Makes the study (or goes on with it) in ./study, serves it, answers every page over HTTP as a
browser would, and exports what was said, so that the table of the human study is part of
`make experiments`. A simulated rater compares the words of an explanation with the tokens that
fire, and adds noise of its own: what it says is no evidence of anything. That no people were asked
shows in the raters' codes, which stand in the file and under the report's table.
"""
import http.client
import json
import pathlib
import random
import subprocess
import sys
import time

RATERS = ["simulated-1", "simulated-2", "simulated-3"]
OVERLAP = "0.25"
STUDY = pathlib.Path("study")


def words(text):
    return {word for word in "".join(c.lower() if c.isalnum() else " " for c in text).split()
            if len(word) > 1}


def firing(excerpts, most):
    """Lower-case tokens that fire at half of the most or more."""
    tokens = []
    for excerpt in excerpts:
        for token, activation in zip(excerpt["tokens"], excerpt["activations"]):
            if isinstance(token, str) and activation >= most / 2:
                tokens.append(token.strip().lower())
    return tokens


def rate(rng, text, tokens):
    """1 to 5: the share of firing tokens that the explanation names, and noise."""
    named = words(text)
    share = sum(token in named for token in tokens) / len(tokens) if tokens else 0
    return max(1, min(5, round(1.5 + 4 * share + rng.gauss(0, 0.8))))


def answer(rater, page, said):
    rng = random.Random(f"{rater} {page}")
    tokens = firing(said["excerpts"], said["most"])
    ratings = {e["name"]: rate(rng, e["text"], tokens) for e in said["explanations"]}
    best = max(ratings, key=lambda name: (ratings[name], rng.random()))
    return {"ratings": ratings, "best": best}


def ask(port, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Origin": f"http://127.0.0.1:{port}",
               "Content-Type": "application/json"} if body else {}
    connection.request("POST" if body else "GET", path, json.dumps(body) if body else None, headers)
    reply = connection.getresponse()
    said = reply.read()
    connection.close()
    if reply.status != 200:
        sys.exit(f"simulated_raters.py: {path}: status {reply.status}: {said.decode()}")
    return json.loads(said)


def serve(glia, options):
    """The viewer and its port; (None, what it said) if it ended at once."""
    port_file = pathlib.Path("study.port")
    port_file.unlink(missing_ok=True)
    viewer = subprocess.Popen([glia, "viewer", "--study-only", "--study", STUDY, "--port", "0",
                               "--port-file", port_file,
                               *options], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                               text=True)
    while viewer.poll() is None:
        if port_file.exists() and port_file.read_text().strip():
            return viewer, int(port_file.read_text())
        time.sleep(0.02)
    return None, viewer.stderr.read()


def main(glia, config, run, neurons, out):
    viewer, port = serve(glia, []) if STUDY.exists() else (None, None)
    if not viewer:
        viewer, port = serve(glia, ["-c", config, "--run", run, "--study-set", neurons, "--raters",
                                    ",".join(RATERS), "--overlap", OVERLAP])
    if not viewer:
        sys.exit(f"simulated_raters.py: {port}")
    try:
        for rater in RATERS:
            while page := ask(port, f"/api/study/{rater}")["next"]:
                path = f"/api/study/{rater}/{page}"
                ask(port, path, answer(rater, page, ask(port, path)))
    finally:
        viewer.terminate()
        viewer.wait(60)
    subprocess.run([glia, "export", "study", "--study", STUDY, "--out", out], check=True)


main(*sys.argv[1:])
