"""What the system tests share: a place of its own for each test, glia, its stand-in, and what they
say.

The binaries come from $BUILD (default: build/). A place ends every process that it started, by its
id; every wait has a deadline; every server listens on 127.0.0.1 and stops by itself.
"""
import collections
import http.client
import http.server
import json
import os
import pathlib
import signal
import socketserver
import subprocess
import threading
import time
import urllib.request
from decimal import Decimal

import pytest
from _pytest.runner import runtestprotocol

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "data"
BUILD = (ROOT / os.environ.get("BUILD", "build")).resolve()
GLIA = BUILD / "glia"
STANDIN = BUILD / "glia-standin"
FORMATS = ["original", "summary", "highlight", "highlight_summary", "avhs"]
KINDS = ["explanations", "scores", "simulations"]
# the sanitizer of the build, if any: see test/README.md
SHORT = os.environ.get("GLIA_TEST_SHORT", "")
DEADLINE = 300 if SHORT else 120  # seconds until a program counts as hanging
DONE, INTERNAL, USAGE, AT_CAP, BY_WORLD, WITH_FAILURES, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130
PICO = 10**12
UNSTEADY = []  # tests that failed at first, and what they said


def pytest_configure(config):
    config.addinivalue_line("markers", "long: left out under sanitizers (GLIA_TEST_SHORT)")
    config.addinivalue_line("markers",
                            "threads: not left out under the thread sanitizer, as all others are")


def pytest_collection_modifyitems(items):
    for item in items:
        threads = item.get_closest_marker("threads") or item.path.name == "test_standin.py"
        if SHORT and (item.get_closest_marker("long") or (SHORT == "thread" and not threads)):
            item.add_marker(
                pytest.mark.skip(reason="left out of the short selection for sanitizer builds"))


def wait_until(ask, what, deadline=DEADLINE):
    """Polls until ask() is true and returns what it said."""
    end = time.monotonic() + deadline
    while True:
        said = ask()
        if said:
            return said
        assert time.monotonic() < end, f"waited {deadline} s in vain for {what}"
        time.sleep(0.01)


def loads(text):
    """JSON whose numbers stay exact."""
    return json.loads(text, parse_float=Decimal)


def pytest_runtest_protocol(item, nextitem):
    """A test that fails is run once more, in a new place: machines are shared, and what a stall of
    seconds upsets is no news. It is named at the end as unsteady. What a sanitizer reports fails
    the whole in run.sh, whatever comes after."""
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports = runtestprotocol(item, nextitem=nextitem, log=False)
    failed = [report for report in reports if report.failed]
    if failed:
        UNSTEADY.append((item.nodeid, failed[0].longreprtext))
        item._initrequest()
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def pytest_terminal_summary(terminalreporter):
    for test, said in UNSTEADY:
        terminalreporter.section(f"failed at first: {test}")
        terminalreporter.write_line(said)


class Program:
    """A process of ours: its output in files, ended by its id."""

    def __init__(self, place, arguments, name, env):
        self.out_path, self.err_path = place.path / f"{name}.out", place.path / f"{name}.err"
        with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err:
            self.process = subprocess.Popen([str(a) for a in arguments], cwd=place.path, env=env,
                                            stdout=out,
                                            stderr=err, stdin=subprocess.PIPE,
                                            start_new_session=True)

    @property
    def out(self):
        return self.out_path.read_text(errors="replace")

    @property
    def err(self):
        return self.err_path.read_text(errors="replace")

    def running(self):
        return self.process.poll() is None

    def signal(self, number):
        if self.running():
            self.process.send_signal(number)

    def wait(self, code=None, deadline=DEADLINE):
        try:
            self.process.wait(deadline)
        except subprocess.TimeoutExpired:
            self.end()
            pytest.fail(f"still running after {deadline} s: {self.process.args}\n{self.err}")
        if code is not None:
            assert self.process.returncode == code, \
                f"exit {self.process.returncode}, not {code}\n{self.err}{self.out}"
        return self.process.returncode

    def end(self):
        self.signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdin.close()


class Standin(Program):
    """glia-standin; with `until_eof` semantics: it goes when this test goes."""

    def __init__(self, place, options, name, env):
        port_file = place.path / f"{name}.port"
        self.ledger_path = place.path / f"{name}.ledger"
        super().__init__(place, [STANDIN, "--port", "0", "--port-file", port_file, "--ledger",
                                 self.ledger_path,
                                 "--until-eof", "--max-seconds", 900, *options], name, env)
        wait_until(lambda: not self.running()
                   or (port_file.exists() and port_file.read_text().strip()), "the stand-in's port")
        assert self.running(), f"the stand-in ended at once: {self.err}"
        self.port = int(port_file.read_text())
        self.url = f"http://127.0.0.1:{self.port}/v1"

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as answer:
            return loads(answer.read())

    def bills(self):
        return self.get("/_standin/ledger")["billed"]

    def outcomes(self):
        return self.get("/_standin/ledger")["outcomes"]

    def bill(self):
        """Dollars."""
        return Decimal(self.get("/_standin/ledger")["totals"]["cost_picodollars"]) / PICO

    def asked_again(self):
        """How many bills were for a body that had been billed before."""
        counts = collections.Counter(bill["hash"] for bill in self.bills())
        return sum(counts.values()) - len(counts)

    def faults(self, **faults):
        """Sets the faults; those not named do not happen."""
        body = json.dumps({"all": 0, "count": None, **faults}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/_standin/faults", body,
                                         method="POST")
        urllib.request.urlopen(request, timeout=30).read()


Arrival = collections.namedtuple("Arrival", "time path headers body")


class Relay:
    """A server between glia and a stand-in that notes every arrival and may answer in the
    stand-in's stead.

    `answer(number, arrival)` gives None (pass it on) or (status, headers, body)."""

    def __init__(self, target, answer=None):
        relay = self
        self.arrivals, self.answered = [], []
        lock = threading.Lock()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                arrival = Arrival(time.monotonic(), self.path, dict(self.headers), body)
                with lock:
                    relay.arrivals.append(arrival)
                    number = len(relay.arrivals)
                said = answer(number, arrival) if answer else None
                if said is None:
                    onward = http.client.HTTPConnection("127.0.0.1", target, timeout=DEADLINE)
                    onward.request("POST", self.path, body, {"Content-Type": "application/json"})
                    got = onward.getresponse()
                    said = (got.status, {"Content-Type": "application/json"}, got.read())
                    onward.close()
                status, headers, content = said
                relay.answered.append((time.monotonic(), status))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
            daemon_threads = True

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def end(self):
        self.server.shutdown()
        self.server.server_close()


class Place:
    """A directory, and what runs in it."""

    def __init__(self, path):
        self.path = path
        self.programs = []
        self.env = {key: value for key, value in os.environ.items()
                    if not key.lower().endswith("_proxy")}
        self.env["TMPDIR"] = str(path)

    def close(self):
        for program in reversed(self.programs):
            program.end()

    def keep(self, program):
        self.programs.append(program)
        return program

    def name(self, kind):
        return f"{kind}-{len(self.programs)}"

    def standin(self, *options):
        return self.keep(Standin(self, options, self.name("standin"), self.env))

    def relay(self, target, answer=None):
        return self.keep(Relay(target, answer))

    def program(self, *arguments):
        return self.keep(Program(self, arguments, self.name("program"), self.env))

    def start(self, *arguments):
        """glia, not waited for."""
        return self.keep(Program(self, [GLIA, *arguments], self.name("glia"), self.env))

    def glia(self, *arguments, code=DONE, env=None):
        """glia, waited for; `code` None: any."""
        done = subprocess.run([str(GLIA), *map(str, arguments)], cwd=self.path,
                              env={**self.env, **(env or {})},
                              capture_output=True, timeout=DEADLINE, stdin=subprocess.DEVNULL)
        said = done.stderr.decode(errors="replace")
        assert code is None or done.returncode == code, \
            f"exit {done.returncode}, not {code}: {arguments}\n{said}"
        done.err, done.out = said, done.stdout.decode(errors="replace")
        return done

    def refused(self, *arguments, code=USAGE, env=None):
        """glia fails with one line on stderr, which is returned."""
        done = self.glia(*arguments, code=code, env=env)
        lines = done.err.strip("\n").split("\n")
        assert len(lines) == 1 and lines[0].startswith("glia"), f"not one clear line:\n{done.err}"
        return lines[0]

    # --- what runs are about ---

    def config(self, url, cap="2.00", limit=2, formats=FORMATS, mode="echo", samples=1,
               source="puzzles:", budget="",
               endpoint="", model="", run="", simulate="", extra="", adacs=True, store="store",
               name="config.toml"):
        """A small sweep against one endpoint; the other arguments are lines of TOML for their
        tables."""
        price = "price = { input = 0.50, cached_input = 0.25, output = 1.50 }"
        simulator = "standin-text" if mode == "echo" else "standin-chat"
        text = f"""
[run]
{run}
[store]
path = "{store}"
[budget]
total_usd = {cap}
{budget}
[endpoints.own]
base_url = "{url}"
{endpoint}
[models.standin-chat]
endpoints = ["own"]
context_tokens = 16384
{price}
{model}
[models.standin-text]
endpoints = ["own"]
context_tokens = 16384
{price}
[models.standin-embedding]
endpoints = ["own"]
context_tokens = 8192
price = {{ input = 0.02, output = 0.0 }}
[sets.puzzles]
source = "{source}"
{f"limit = {limit}" if limit else ""}
[explain]
models = ["standin-chat"]
formats = {json.dumps(formats)}
samples = {samples}
"""
        if mode:
            text += f'[simulate]\nmodel = "{simulator}"\nmode = "{mode}"\n{simulate}\n'
        if adacs:
            text += '[adacs]\nmodel = "standin-embedding"\n'
        path = self.path / name
        path.write_text(text + extra)
        return path

    def run(self, *options, code=DONE, env=None):
        return self.glia("run", "--quiet", *options, code=code, env=env)

    def results(self, *options):
        """Everything scientific of a run: exports, and the report up to its costs."""
        said = {kind: self.glia("export", kind, *options).stdout for kind in KINDS}
        said["report"] = self.glia("report", *options).out.split("\nCosts, times and doubts\n")[0]
        said["tables"] = self.glia("report", "--json", *options).out.split('"costs":')[0]
        return said

    def ledger(self, *options):
        return loads(self.glia("ledger", "--json", *options).out)

    def money(self, *options):
        """(settled, doubts, reserved) in dollars, of all runs."""
        rows = self.ledger(*options)["by_run"]
        return tuple(sum((Decimal(row[key]) for row in rows), Decimal(0))
                     for key in ("settled_usd", "doubts_usd", "reserved_usd"))

    def status(self, *options):
        return loads(self.glia("status", "--json", *options).out)

    def fsck(self, *options):
        self.glia("fsck", *options)


def bill_holds(place, standin):
    """settled <= the provider's bill <= settled + doubts, nothing reserved any more."""
    settled, doubts, reserved = place.money()
    assert reserved == 0
    assert settled <= standin.bill() <= settled + doubts
    return settled, doubts


def start_sweep(place, standin, requests, *options):
    """A run under way: the stand-in has billed at least so many requests of it."""
    before = len(standin.bills())
    glia = place.start("run", *options)
    wait_until(lambda: not glia.running() or len(standin.bills()) >= before + requests,
               "the first answers")
    assert glia.running(), f"the run was over before it was looked at:\n{glia.err}"
    return glia


@pytest.fixture
def place(tmp_path):
    its = Place(tmp_path)
    yield its
    its.close()


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """Results of a sweep that nothing disturbed, by the config's arguments."""
    known = {}

    def results_of(**arguments):
        key = json.dumps(arguments, sort_keys=True)
        if key not in known:
            its = Place(tmp_path_factory.mktemp("undisturbed"))
            try:
                standin = its.standin()
                its.config(standin.url, **arguments)
                its.run()
                known[key] = its.results()
                known[key, "bill"] = standin.bill()
            finally:
                its.close()
        return known[key]

    def bill_of(**arguments):
        results_of(**arguments)
        return known[json.dumps(arguments, sort_keys=True), "bill"]

    results_of.bill = bill_of
    return results_of
