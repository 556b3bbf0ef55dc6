"""One file inside an npm package: `npm:NAME@VERSION/MEMBER`, the member as the tarball spells it (`package/...`).

The registry is the user's own: npm is asked for the tarball's address, because it knows the mirror; where npm is not
installed, its variables and `.npmrc` files are read. Tokens are sent to the host that they belong to and never shown.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote, urlsplit

from sightline.errors import ChecksumMismatch, SourceFailed
from sightline.models.sources.base import Download
from sightline.models.sources.https import CHUNK, read, save, shown, trust

_REFERENCE = re.compile(r"(?P<name>(@[\w.~-]+/)?[\w.~-]+)@(?P<version>\d[\w.+-]*)/(?P<member>.+)")
_VARIABLE = re.compile(r"\$\{([^}]+)\}")
_MAX_UNPACKED = 8 * 1024**3


class NpmSource:
    """Reads members of npm tarballs; a tarball that several files of one pull come from is fetched once."""

    network = True

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._tarballs: dict[tuple[str, str], Path] = {}

    def open(self, reference: str, offset: int = 0) -> Download:
        parts = _REFERENCE.fullmatch(reference)
        if parts is None:
            raise SourceFailed(f"npm:{reference} is not of the form npm:NAME@VERSION/MEMBER")
        key = (parts["name"], parts["version"])
        if key not in self._tarballs:
            self._tarballs[key] = self._download(*key)
        return _member(self._tarballs[key], parts["member"], f"{key[0]} {key[1]}")

    def _download(self, name: str, version: str) -> Path:
        config = npmrc()
        npm = client()
        dist = _ask_npm(npm, name, version) if npm else _ask_registry(name, version, config)
        url, integrity = dist.get("tarball"), dist.get("integrity")
        if not isinstance(url, str):
            raise SourceFailed(f"the npm registry names no tarball for {name} {version}")
        path = self._scratch / (hashlib.sha256(f"{name}@{version}".encode()).hexdigest() + ".tgz")
        algorithm, expected = _strongest(integrity if isinstance(integrity, str) else "")
        digest = save(url, path, algorithm, _credentials(url, config), _bundle(config))
        # Very old packages state no integrity; the card's sha256 of the member stands in any case.
        if expected is not None and digest != expected:
            raise ChecksumMismatch(f"{shown(url)} has not the {algorithm} that the npm registry states")
        return path


def _member(tarball: Path, name: str, package: str) -> Download:
    """One regular file of the archive as a stream. Nothing is unpacked, so no path inside it can lead astray."""
    archive = None
    try:
        archive = tarfile.open(tarball, "r:gz")  # noqa: SIM115 - closed when the stream has been read
        unpacked = 0
        for member in archive:
            unpacked += member.size
            if unpacked > _MAX_UNPACKED:
                break
            stream = archive.extractfile(member) if member.name == name and member.isreg() else None
            if stream is not None:
                return Download(_chunks(archive, stream, name), 0, member.size)
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise SourceFailed(f"the tarball of {package} cannot be read: {error}") from None
    archive.close()
    raise SourceFailed(f"{package} has no file {name}")


def _chunks(archive: tarfile.TarFile, stream: IO[bytes], name: str) -> Iterator[bytes]:
    try:
        with archive, stream:
            while chunk := stream.read(CHUNK):
                yield chunk
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise SourceFailed(f"{name} cannot be unpacked: {error}") from None


def client() -> str | None:
    """The path of npm: the user's own, or the one that the extra `npm` put beside this Python."""
    return shutil.which("npm") or shutil.which("npm", path=str(Path(sys.executable).parent))


def _ask_npm(npm: str, name: str, version: str) -> Mapping[str, Any]:
    command = [npm, "view", f"{name}@{version}", "dist", "--json"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SourceFailed(f"npm did not answer: {type(error).__name__}") from None
    try:
        dist = json.loads(done.stdout or "{}")
    except ValueError:
        dist = None
    if done.returncode != 0 or not isinstance(dist, dict) or "tarball" not in dist:
        failure = dist.get("error") if isinstance(dist, dict) else None
        said = failure.get("summary") if isinstance(failure, dict) else None
        text = str(said or done.stderr or "it printed nothing").strip().partition("\n")[0]
        raise SourceFailed(f"npm found no {name} {version}: {shown(text)[:300]}")
    return dist


def _ask_registry(name: str, version: str, config: Mapping[str, str]) -> Mapping[str, Any]:
    scope = name.partition("/")[0] if name.startswith("@") else None
    registry = (config.get(f"{scope}:registry") if scope else None) or config.get("registry")
    if not registry:
        hint = "install npm (or pip install 'sightline[npm]'), or set NPM_CONFIG_REGISTRY"
        raise SourceFailed(f"to find {name} {version}, {hint}")
    url = f"{registry.rstrip('/')}/{quote(name, safe='@')}"
    headers = {"Accept": "application/vnd.npm.install-v1+json, application/json;q=0.5", **_credentials(url, config)}
    body, _ = read(url, headers, _bundle(config))
    try:
        dist = json.loads(body)["versions"][version]["dist"]
    except (ValueError, LookupError, TypeError):
        raise SourceFailed(f"{shown(registry)} has no {name} {version}") from None
    return dist if isinstance(dist, dict) else {}


def npmrc() -> dict[str, str]:
    """What the user told npm: variables first, then `.npmrc` of this folder, then that of the user."""
    user = _variable("userconfig")
    config: dict[str, str] = {}
    for path in (Path(user) if user else Path.home() / ".npmrc", Path(".npmrc")):
        config.update(_parse(path))
    for name in ("registry", "cafile"):
        value = _variable(name)
        if value:
            config[name] = value
    return config


def _variable(name: str) -> str | None:
    return os.environ.get(f"NPM_CONFIG_{name.upper()}") or os.environ.get(f"npm_config_{name}")


def _parse(path: Path) -> Iterator[tuple[str, str]]:
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return
    for line in lines:
        key, equals, value = line.partition("=")
        if equals and not key.lstrip().startswith((";", "#")):
            value = value.strip().strip("\"'")
            yield key.strip(), _VARIABLE.sub(lambda name: os.environ.get(name[1], name[0]), value)


def _credentials(url: str, config: Mapping[str, str]) -> dict[str, str]:
    """The Authorization header that `.npmrc` has for this address: the longest `//host/path/` wins."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    path = parts.path.rstrip("/") + "/"
    while True:
        prefix = f"//{host}{path}"
        token = config.get(f"{prefix}:_authToken")
        if token:
            return {"Authorization": f"Bearer {token}"}
        basic = config.get(f"{prefix}:_auth")
        if basic:
            return {"Authorization": f"Basic {basic}"}
        user, secret = config.get(f"{prefix}:username"), config.get(f"{prefix}:_password")
        if user and secret:
            return {"Authorization": f"Basic {_basic(user, secret)}"}
        if path == "/":
            return {}
        path = path.rstrip("/").rpartition("/")[0] + "/"


def _basic(user: str, secret: str) -> str:
    """npm keeps the password itself in base64."""
    try:
        password = base64.b64decode(secret, validate=True)
    except binascii.Error:
        raise SourceFailed("a _password in .npmrc is not in base64") from None
    return base64.b64encode(user.encode() + b":" + password).decode()


def _bundle(config: Mapping[str, str]) -> str | None:
    return trust() or config.get("cafile")


def _strongest(integrity: str) -> tuple[str, bytes | None]:
    """The strongest hash of a subresource integrity string that is worth checking."""
    for algorithm in ("sha512", "sha384", "sha256"):
        for part in integrity.split():
            name, _, encoded = part.partition("-")
            if name == algorithm:
                try:
                    return algorithm, base64.b64decode(encoded.partition("?")[0], validate=True)
                except binascii.Error:
                    raise SourceFailed("the npm registry states an unreadable integrity") from None
    return "sha512", None
