"""The compose file: what it mounts is there, and its nginx does before a real server what the page says."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.docker.containers import ROOT

FOLDER = ROOT / "deploy" / "docker"
PICTURE = ROOT / "deploy" / "lambda" / "events" / "astronaut.jpg"


def test_what_is_mounted_is_there() -> None:
    yaml = pytest.importorskip("yaml")
    services = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]
    assert set(services) == {"sightline", "nginx", "postgres", "prometheus", "grafana"}
    places = [volume.split(":")[0] for service in services.values() for volume in service.get("volumes", ())]
    # The certificates are made by a command of their own.
    files = [place for place in places if place.startswith(".") and not place.endswith("certificates")]
    assert len(files) == 6
    for place in files:
        assert (FOLDER / place).is_file(), place
    secrets = [value for name, value in services["sightline"]["environment"].items() if "KEY" in name]
    assert secrets
    assert all(value.startswith("${") for value in secrets)


@pytest.fixture(scope="module")
def nginx(start_server: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int]]:
    """The compose file's nginx before a real server: its ports for HTTP and HTTPS."""
    binary = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if binary is None:
        pytest.skip("nginx is not installed (apt-get install nginx)")
    folder = tmp_path_factory.mktemp("nginx")
    shutil.copytree(FOLDER, folder / "docker", ignore=shutil.ignore_patterns("certificates"))
    subprocess.run([folder / "docker" / "certificate"], check=True)
    upstream = start_server("faces", SIGHTLINE_MAX_BYTES="20000000").url.removeprefix("http://")
    ports = []
    for _ in range(2):
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            ports.append(one.getsockname()[1])
    text = (FOLDER / "compose" / "nginx.conf").read_text()
    certificates = folder / "docker" / "compose" / "certificates"
    for old, new in {
        "/tmp/": f"{folder}/",
        "sightline:8000": upstream,
        "/etc/nginx/certificates": str(certificates),
        "listen 8080": f"listen 127.0.0.1:{ports[0]}",
        "listen 8443": f"listen 127.0.0.1:{ports[1]}",
    }.items():
        assert old in text, old
        text = text.replace(old, new)
    (folder / "nginx.conf").write_text(text)
    # Root's folder of tests is closed to the user whom nginx's workers would become.
    words = "daemon off;" + (" user root;" if os.geteuid() == 0 else "")
    process = subprocess.Popen([binary, "-p", folder, "-c", folder / "nginx.conf", "-g", words])
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", ports[1])) == 0:
                break
        assert process.poll() is None
        time.sleep(0.05)
    yield ports[0], ports[1]
    process.terminate()
    process.wait(20)


def curl(*arguments: str | Path) -> tuple[int, str, str]:
    """The status, the headers and the body that curl gets."""
    command = ["curl", "--silent", "--insecure", "--include", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, timeout=60)
    head, _, body = done.stdout.decode("utf-8", "replace").partition("\r\n\r\n")
    if head.startswith("HTTP/1.1 100"):
        head, _, body = body.partition("\r\n\r\n")
    return int(head.split()[1]), head, body


def test_nginx(nginx: tuple[int, int], tmp_path: Path) -> None:
    plain, tls = nginx
    status, head, _ = curl(f"http://127.0.0.1:{plain}/docs")
    assert status == 308
    assert "location: https://127.0.0.1:8443/docs" in head.lower()
    address = f"https://127.0.0.1:{tls}"
    status, head, body = curl("--http2", "-F", f"image=@{PICTURE}", f"{address}/v1/faces")
    assert (status, head.split()[0]) == (200, "HTTP/2")
    assert "strict-transport-security: max-age=31536000" in head
    assert len(json.loads(body)["faces"]) == 1
    assert curl(f"{address}/metrics")[0] == 404
    large = tmp_path / "large"
    large.write_bytes(b"\xff\xd8\xff" + bytes(11 << 20))
    assert curl("-F", f"image=@{large}", f"{address}/v1/faces")[0] == 413
    small = tmp_path / "small"
    small.write_bytes(b"\xff\xd8\xff" + bytes(9 << 20))
    assert curl("-F", f"image=@{small}", f"{address}/v1/faces")[0] == 400  # it reached Sightline, and is no picture


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_old_tls_is_refused(nginx: tuple[int, int], version: str) -> None:
    script = (
        "import socket, ssl, sys; c = ssl._create_unverified_context(); c.set_ciphers('ALL:@SECLEVEL=0'); "
        f"c.minimum_version = c.maximum_version = ssl.TLSVersion.TLSv{version.replace('.', '_')}; "
        f"c.wrap_socket(socket.create_connection(('127.0.0.1', {nginx[1]})))"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True)
    assert (done.returncode == 0) == (version == "1.2"), done.stderr
