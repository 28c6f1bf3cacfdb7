"""Starts build/glia-standin for a test and talks to it with nothing but the standard library."""

import http.client
import json
import os
import pathlib
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BUILD", "build"))
PROGRAM = (BUILD if BUILD.is_absolute() else ROOT / BUILD) / "glia-standin"
TIMEOUT = 60  # seconds until something counts as hanging


def until(condition):
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        return self.json["error"]


class Standin:
    """A running stand-in; ends with the test, and, through its standard input, whenever the test
    process ends."""

    def __init__(self, directory, *options):
        self.port_file = pathlib.Path(directory) / "port"
        self.process = subprocess.Popen(
            [PROGRAM, "--port-file", self.port_file, "--until-eof", *options],
            stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.greeting = self.process.stderr.readline().strip()
        if not self.greeting.startswith("glia-standin: listening on"):
            self.process.wait()
            raise RuntimeError(self.greeting)
        self.port = int(self.port_file.read_text())

    def stop(self):
        if self.process.stderr.closed:
            return self.process.returncode
        if self.process.poll() is None:
            self.process.terminate()
        self.process.stdin.close()
        code = self.process.wait(TIMEOUT)
        rest = self.process.stderr.read()
        self.process.stderr.close()
        assert rest == "", rest
        return code

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def connection(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)

    def ask(self, method, path, body=None, headers=None, connection=None):
        """One exchange. `body` is JSON unless it is bytes."""
        own = connection or self.connection()
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body)
        own.request(method, path, data, {"Content-Type": "application/json", **(headers or {})})
        response = own.getresponse()
        answer = Answer(response.status, response.headers, response.read())
        if connection is None:
            own.close()
        return answer

    def post(self, path, body, **more):
        return self.ask("POST", "/v1" + path, body, **more)

    def get(self, path):
        return self.ask("GET", path)

    def chat(self, text="Hello", **more):
        return self.post("/chat/completions",
                         {"model": "standin-chat", "messages": [{"role": "user", "content": text}],
                          **more})

    def complete(self, prompt, **more):
        return self.post("/completions", {"model": "standin-text", "prompt": prompt, **more})

    def embed(self, inputs, **more):
        return self.post("/embeddings", {"model": "standin-embedding", "input": inputs, **more})

    def set_faults(self, **faults):
        answer = self.ask("POST", "/_standin/faults", faults)
        assert answer.status == 200, answer.body
        return answer.json

    @property
    def ledger(self):
        return self.get("/_standin/ledger").json

    def outcomes(self, total):
        """How `total` requests ended; a request ends a moment after its client has the answer."""
        until(lambda: sum(self.ledger["outcomes"].values()) >= total)
        return self.ledger["outcomes"]

    def wait_for_bills(self, total):
        until(lambda: self.ledger["totals"]["requests"] >= total)

    def send_chat(self):
        """Sends a chat request; returns the open socket."""
        body = json.dumps({"model": "standin-chat", "messages": [{"role": "user", "content": "x"}]})
        return self.send_raw("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
                             f"Content-Length: {len(body)}\r\n\r\n{body}")

    def send_raw(self, text):
        """Sends bytes as they are; returns the open socket."""
        raw = socket.create_connection(("127.0.0.1", self.port), TIMEOUT)
        raw.sendall(text.encode())
        return raw
