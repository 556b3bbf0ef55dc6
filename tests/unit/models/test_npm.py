"""Members of npm packages: what npm says, what a registry says, and how the member is read."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile

import pytest

from sightline.errors import ChecksumMismatch, SourceFailed
from sightline.models.sources import npm
from sightline.models.sources.npm import NpmSource
from sightline.models.sources.registry import Sources

REFERENCE = "@demo/models@1.2.3/package/model/a.bin"


@pytest.fixture
def tarball(bytes_of_weights):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        link = tarfile.TarInfo("package/link.bin")
        link.type, link.linkname = tarfile.SYMTYPE, "../../../etc/hostname"
        archive.addfile(link)
        for name, data in (("a.bin", bytes_of_weights[:5000]), ("b.bin", bytes_of_weights[5000:9000])):
            member = tarfile.TarInfo(f"package/model/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


@pytest.fixture
def clean(monkeypatch, tmp_path):
    """A user who configured nothing and is in an empty folder."""
    for name in list(os.environ):
        if name.lower().startswith("npm_"):
            monkeypatch.delenv(name)
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setenv("NPM_CONFIG_USERCONFIG", str(tmp_path / "npmrc"))
    return tmp_path


@pytest.fixture
def no_npm(clean, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name, **_: None)
    return clean


@pytest.fixture
def registry(site, tarball):
    """A registry that has one package."""
    site.files["/t/models.tgz"] = tarball
    dist = {"tarball": f"{site.url}/t/models.tgz", "integrity": _integrity(tarball)}
    site.files["/npm/@demo%2Fmodels"] = json.dumps({"versions": {"1.2.3": {"dist": dist}}}).encode()
    return f"{site.url}/npm/"


def _integrity(data):
    return "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()


def _answer(monkeypatch, stdout, code=0, stderr=""):
    commands = []

    def run(command, **options):
        commands.append(command)
        return subprocess.CompletedProcess(command, code, stdout, stderr)

    monkeypatch.setattr(shutil, "which", lambda name, **_: f"bin/{name}")
    monkeypatch.setattr(subprocess, "run", run)
    return commands


def test_npm_is_asked_and_the_tarball_is_fetched_once_for_two_members(
    clean, site, tarball, monkeypatch, bytes_of_weights
):
    site.files["/models.tgz"] = tarball
    dist = {"tarball": f"{site.url}/models.tgz", "integrity": _integrity(tarball)}
    commands = _answer(monkeypatch, json.dumps(dist))
    with Sources() as sources:
        first = sources.open(f"npm:{REFERENCE}")
        assert (first.offset, first.total) == (0, 5000)
        assert b"".join(first.chunks) == bytes_of_weights[:5000]
        second = sources.open("npm:@demo/models@1.2.3/package/model/b.bin")
        assert b"".join(second.chunks) == bytes_of_weights[5000:9000]
    assert [command[1:] for command in commands] == [["view", "@demo/models@1.2.3", "dist", "--json"]]
    assert len(site.requests) == 1


def test_npms_refusal_is_one_line(clean, monkeypatch):
    _answer(monkeypatch, json.dumps({"error": {"code": "E404", "summary": "No match found\nfor it"}}), code=1)
    with pytest.raises(SourceFailed, match="No match found") as caught:
        NpmSource(clean).open(REFERENCE)
    assert "\n" not in str(caught.value)
    _answer(monkeypatch, "", code=1, stderr="npm error at https://me:word@registry.example/x")
    with pytest.raises(SourceFailed, match=r"registry\.example") as caught:
        NpmSource(clean).open(REFERENCE)
    assert "word" not in str(caught.value)


def test_a_tarball_that_was_changed_is_refused(clean, site, tarball, monkeypatch):
    # Another time in gzip's header: it still unpacks to the same, so that only the integrity can tell.
    site.files["/models.tgz"] = tarball[:4] + bytes([tarball[4] ^ 1]) + tarball[5:]
    _answer(monkeypatch, json.dumps({"tarball": f"{site.url}/models.tgz", "integrity": _integrity(tarball)}))
    with pytest.raises(ChecksumMismatch, match="sha512"):
        NpmSource(clean).open(REFERENCE)


def test_only_regular_members_by_their_exact_name(clean, site, tarball, monkeypatch):
    site.files["/models.tgz"] = tarball
    _answer(monkeypatch, json.dumps({"tarball": f"{site.url}/models.tgz", "integrity": _integrity(tarball)}))
    source = NpmSource(clean)
    for member in ("package/link.bin", "package/model", "package/model/../model/a.bin", "model/a.bin"):
        with pytest.raises(SourceFailed, match="no file"):
            source.open(f"@demo/models@1.2.3/{member}")


def test_a_tarball_that_is_none_is_refused(clean, site, monkeypatch):
    site.files["/models.tgz"] = b"<html>log in</html>"
    _answer(monkeypatch, json.dumps({"tarball": f"{site.url}/models.tgz"}))
    with pytest.raises(SourceFailed, match="cannot be read"):
        NpmSource(clean).open(REFERENCE)


@pytest.mark.parametrize("reference", ["demo/a.bin", "demo@1.0.0", "demo@latest/a", "--x@1/a b", "@a/b/c@1.0.0/x"])
def test_a_reference_of_another_form_never_reaches_npm(clean, monkeypatch, reference):
    commands = _answer(monkeypatch, "{}")
    with pytest.raises(SourceFailed, match="form" if "--x" not in reference else "npm"):
        NpmSource(clean).open(reference)
    assert commands == [] or "--x" in reference


def test_without_npm_the_registry_of_the_variable_is_read(no_npm, registry, monkeypatch, bytes_of_weights):
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", registry)
    assert b"".join(NpmSource(no_npm).open(REFERENCE).chunks) == bytes_of_weights[:5000]
    with pytest.raises(SourceFailed, match=r"has no @demo/models 9\.9\.9"):
        NpmSource(no_npm).open("@demo/models@9.9.9/package/model/a.bin")


def test_without_npm_scoped_registry_and_token_of_npmrc_are_used(no_npm, registry, site, monkeypatch, bytes_of_weights):
    host = site.url.removeprefix("http:")
    monkeypatch.setenv("DEMO_TOKEN", "npm_secret")
    (no_npm / "npmrc").write_text(
        f"; a comment\nregistry=http://127.0.0.1:1/\n@demo:registry={registry}\n{host}/npm/:_authToken=${{DEMO_TOKEN}}\n"
    )
    assert b"".join(NpmSource(no_npm).open(REFERENCE).chunks) == bytes_of_weights[:5000]
    # The token belongs to /npm/: the tarball, elsewhere on the same host, does not get it.
    assert site.authorization == ["Bearer npm_secret", None]


def test_the_projects_npmrc_counts_before_the_users(no_npm):
    (no_npm / "npmrc").write_text("registry=http://user.example/\n//h/:_auth=dTpw\n")
    (no_npm / "project" / ".npmrc").write_text('registry = "http://project.example/"\n')
    assert npm.npmrc() == {"registry": "http://project.example/", "//h/:_auth": "dTpw"}


def test_the_longest_prefix_decides_which_credentials_are_sent():
    config = {
        "//h:8080/:_authToken": "wide",
        "//h:8080/a/b/:_authToken": "narrow",
        "//basic/:username": "me",
        "//basic/:_password": base64.b64encode(b"word").decode(),
    }
    assert npm._credentials("https://h:8080/a/b/x.tgz", config) == {"Authorization": "Bearer narrow"}
    assert npm._credentials("https://h:8080/a/x.tgz", config) == {"Authorization": "Bearer wide"}
    assert npm._credentials("https://h/a/b/x.tgz", config) == {}
    basic = base64.b64encode(b"me:word").decode()
    assert npm._credentials("https://basic/x", config) == {"Authorization": f"Basic {basic}"}


def test_with_neither_npm_nor_registry_the_user_hears_what_to_set(no_npm):
    with pytest.raises(SourceFailed, match="set NPM_CONFIG_REGISTRY"):
        NpmSource(no_npm).open(REFERENCE)
