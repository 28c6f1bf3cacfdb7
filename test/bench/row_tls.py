"""Connections of `glia batch` through TLS (Debian's nghttpx in front of the benchmark server)."""
import re
import shutil
import socket
import subprocess
import time

from common import QUICK, Place, Server, batch, row

COUNT, CONCURRENCY = (4_000 if QUICK else 20_000), 64
NGHTTPX = shutil.which("nghttpx") or shutil.which("nghttpx", path="/usr/sbin")


def openssl(place, *arguments):
    subprocess.run(["openssl", *arguments], cwd=place.path, check=True, capture_output=True,
                   timeout=60)


def certificates(place):
    openssl(place, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-days", "2",
            "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
            "key.pem", "-out", "cert.pem")


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


with Place() as place, Server(place) as server:
    certificates(place)
    port, log = free_port(), place.path / "access.log"
    proxy = subprocess.Popen(
        ["timeout", "300", NGHTTPX, f"--frontend=127.0.0.1,{port}",
         f"--backend=127.0.0.1,{server.port}", "--workers=1",
         "--conf=/dev/null", f"--accesslog-file={log}", "--accesslog-format=$remote_port $status",
         "--errorlog-file=/dev/null", place.path / "key.pem", place.path / "cert.pem"],
         stderr=subprocess.DEVNULL)
    try:
        time.sleep(1)
        batch(place, place.requests(COUNT), f"https://127.0.0.1:{port}/v1", "tls", CONCURRENCY,
              "--set", f"endpoints.endpoint.ca_file={place.path}/cert.pem")
        answered = re.findall(r"^(\d+) 200$", log.read_text(), re.MULTILINE)
    finally:
        proxy.terminate()
        proxy.wait(20)
    connections = len(set(answered))
    row(f"connections for {len(answered)} requests through TLS, {CONCURRENCY} in flight",
        connections,
        f"at most {CONCURRENCY}", 0 < connections <= CONCURRENCY and len(answered) >= COUNT)
