"""HTTPS with a CA of one's own and HTTP/2, through Debian's nghttpx; an untrusted certificate gets
nothing."""
import shutil
import socket
import subprocess

import pytest
from conftest import BY_WORLD, USAGE, wait_until

NGHTTPX = shutil.which("nghttpx") or shutil.which("nghttpx", path="/usr/sbin")
pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is absent")
needs_nghttpx = pytest.mark.skipif(not NGHTTPX, reason="nghttpx (package nghttp2-proxy) is absent")


def openssl(place, *arguments):
    subprocess.run(["openssl", *arguments], cwd=place.path, check=True, capture_output=True,
                   timeout=120)


def certificates(place, names="IP:127.0.0.1"):
    """ca.pem, and server.pem with server.key that it signed."""
    openssl(place, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-days", "2", "-subj", "/CN=glia test CA", "-keyout", "ca.key", "-out", "ca.pem")
    openssl(place, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
            "/CN=server", "-keyout", "server.key", "-out", "server.csr")
    (place.path / "names").write_text(f"subjectAltName={names}\n")
    openssl(place, "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
            "-CAcreateserial", "-days", "2", "-extfile", "names", "-out", "server.pem")


class Proxy:
    """nghttpx in front of a stand-in."""

    def __init__(self, place, standin):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.log = place.path / "access.log"
        self.program = place.program(NGHTTPX, f"--frontend=127.0.0.1,{port}",
                                     f"--backend=127.0.0.1,{standin.port}",
                                     "--workers=1", "--conf=/dev/null",
                                     f"--accesslog-file={self.log}",
                                     place.path / "server.key", place.path / "server.pem")
        wait_until(lambda: not self.program.running() or answers(port), "nghttpx")
        assert self.program.running(), self.program.err
        self.url = f"https://127.0.0.1:{port}/v1"

    def requests(self):
        return [line for line in self.log.read_text().splitlines()
                if "POST" in line] if self.log.exists() else []


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


@pytest.mark.threads
@needs_nghttpx
@pytest.mark.parametrize("http2", [False, True])
def test_https_with_own_ca(place, undisturbed, http2):
    certificates(place)
    standin = place.standin("--latency", "uniform:0,20")
    proxy = Proxy(place, standin)
    place.config(proxy.url, endpoint=f'ca_file = "ca.pem"\nhttp2 = {"true" if http2 else "false"}')
    place.run()
    assert place.results() == undisturbed()
    assert place.money() == (standin.bill(), 0, 0)
    wait_until(lambda: len(proxy.requests()) == len(standin.bills()), "the access log")
    assert all(("HTTP/2" in line) == http2 for line in proxy.requests())
    place.fsck()


@needs_nghttpx
def test_http2_endpoint_that_falls_back(place):
    """The stand-in itself speaks HTTP/1.1 only: asking for HTTP/2 works with it all the same."""
    certificates(place)
    standin = place.standin("--tls-cert", place.path / "server.pem", "--tls-key",
                            place.path / "server.key")
    url = standin.url.replace("http:", "https:")
    place.config(url, limit=1, endpoint='ca_file = "ca.pem"\nhttp2 = true')
    place.run()


@pytest.mark.parametrize("why", ["unknown-ca", "other-ca", "other-name"])
def test_certificate_that_is_not_trusted(place, why):
    certificates(place, names="DNS:elsewhere.invalid" if why == "other-name" else "IP:127.0.0.1")
    standin = place.standin("--tls-cert", place.path / "server.pem", "--tls-key",
                            place.path / "server.key")
    endpoint = {"unknown-ca": "", "other-ca": 'ca_file = "strange.pem"',
                "other-name": 'ca_file = "ca.pem"'}[why]
    if why == "other-ca":
        openssl(place, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                "-nodes", "-days", "2",
                "-subj", "/CN=another CA", "-keyout", "strange.key", "-out", "strange.pem")
    place.config(standin.url.replace("http:", "https:"),
                 endpoint=f'{endpoint}\nkey_env = "GLIA_TEST_KEY"', run="outage_wait_minutes = 0")
    done = place.run(code=None, env={"GLIA_TEST_KEY": "sk-not-for-strangers"})
    assert done.returncode in (USAGE, BY_WORLD), done.err
    assert "own" in done.err and "certificate" in done.err.lower()
    assert standin.process.poll() is None and not standin.ledger_path.read_text()
    assert place.money() == (0, 0, 0), "nothing was sent: nothing may be charged"
    place.fsck()


def test_ca_file_that_is_no_certificate(place):
    certificates(place)
    standin = place.standin("--tls-cert", place.path / "server.pem", "--tls-key",
                            place.path / "server.key")
    (place.path / "ca.pem").write_text("not a certificate\n")
    place.config(standin.url.replace("http:", "https:"), endpoint='ca_file = "ca.pem"',
                 run="outage_wait_minutes = 0")
    done = place.run(code=None)
    assert done.returncode in (USAGE, BY_WORLD) and "ca.pem" in done.err
    assert place.money() == (0, 0, 0)
