"""The plain sources: addresses, files, installed packages and a hub."""

from __future__ import annotations

import pytest

from sightline.errors import InvalidCard, SourceFailed
from sightline.models.sources.file import FileSource
from sightline.models.sources.hf import HuggingFaceSource
from sightline.models.sources.https import HttpsSource, fetch, shown, trust
from sightline.models.sources.package import PackageSource, locate
from sightline.models.sources.registry import SCHEMES, Sources, split


def test_https_reads_all_and_resumes(site, bytes_of_weights):
    site.files["/a.bin"] = bytes_of_weights
    reference = site.url.removeprefix("http:") + "/a.bin"
    whole = HttpsSource("http").open(reference)
    assert (whole.offset, whole.total) == (0, len(bytes_of_weights))
    assert b"".join(whole.chunks) == bytes_of_weights
    rest = HttpsSource("http").open(reference, 1000)
    assert (rest.offset, rest.total) == (1000, len(bytes_of_weights))
    assert b"".join(rest.chunks) == bytes_of_weights[1000:]


def test_https_begins_again_where_the_offset_lies_behind_the_end(site):
    site.files["/a.bin"] = b"short"
    download = fetch(f"{site.url}/a.bin", offset=100)
    assert download.offset == 0
    assert b"".join(download.chunks) == b"short"


def test_https_begins_again_where_the_server_answers_another_range(site):
    site.files["/a.bin"], site.wrong_range = b"0123456789", True
    download = fetch(f"{site.url}/a.bin", offset=4)
    assert (download.offset, b"".join(download.chunks)) == (0, b"0123456789")


def test_https_tells_a_broken_stream(site, bytes_of_weights):
    site.files["/a.bin"], site.break_after = bytes_of_weights, [1000]
    with pytest.raises(SourceFailed, match="broke off"):
        list(fetch(f"{site.url}/a.bin").chunks)


def test_https_that_nobody_answers_is_one_line():
    with pytest.raises(SourceFailed) as caught:
        fetch("http://127.0.0.1:1/a.bin")
    assert "\n" not in str(caught.value)


def test_credentials_are_never_shown():
    text = shown("cannot read https://user:pass@host.example/a?X-Signature=secret, sorry")
    assert text == "cannot read https://host.example/a sorry"
    assert shown("@scope/name at https://host.example/@scope/name") == "@scope/name at https://host.example/@scope/name"


def test_the_users_certificates_are_used(tmp_path, monkeypatch):
    for name in ("REQUESTS_CA_BUNDLE", "PIP_CERT", "SSL_CERT_FILE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    assert trust() is None
    bundle = tmp_path / "firm.pem"
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    assert trust() is None  # named, but not there
    bundle.write_text("not a certificate")
    assert trust() == str(bundle)
    with pytest.raises(SourceFailed, match=r"firm\.pem"):
        fetch("https://host.example/a.bin")


def test_file_reads_relative_to_the_card_and_resumes(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"0123456789")
    download = FileSource(tmp_path).open("a.bin", 4)
    assert (download.offset, download.total, b"".join(download.chunks)) == (4, 10, b"456789")
    assert FileSource(tmp_path).open("a.bin", 99).offset == 10
    with pytest.raises(SourceFailed, match=r"none\.bin"):
        FileSource(tmp_path).open("none.bin")


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package that must not be imported."""
    folder = tmp_path / "site" / "explosive_package"
    (folder / "data").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('imported')")
    (folder / "data" / "a.bin").write_bytes(b"inside")
    (tmp_path / "site" / "secret.bin").write_bytes(b"outside")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return folder


def test_package_finds_a_file_and_runs_nothing(package):
    assert b"".join(PackageSource().open("explosive_package/data/a.bin").chunks) == b"inside"
    assert locate("explosive_package/data/a.bin") == package / "data" / "a.bin"


@pytest.mark.parametrize(
    "reference",
    [
        "explosive_package/none.bin",
        "explosive_package/../secret.bin",
        "explosive_package/data",
        "explosive_package",
        "not_installed_anywhere/a.bin",
        "explosive_package.data/a.bin",
    ],
)
def test_package_refuses_what_is_not_inside(package, reference):
    with pytest.raises(SourceFailed):
        locate(reference)


def test_hub_needs_an_endpoint_and_keeps_its_token(site, monkeypatch):
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with pytest.raises(SourceFailed, match="set HF_ENDPOINT"):
        HuggingFaceSource().open("org/repo@main/a.bin")
    monkeypatch.setenv("HF_ENDPOINT", site.url + "/")
    site.files["/org/repo/resolve/v1.0/sub/a.bin"] = b"weights"
    download = HuggingFaceSource().open("org/repo@v1.0/sub/a.bin", 3)
    assert (download.offset, b"".join(download.chunks)) == (3, b"ghts")
    assert site.authorization == ["Bearer hf_secret"]
    with pytest.raises(SourceFailed) as caught:
        HuggingFaceSource().open("org/repo@v1.0/none.bin")
    assert "hf_secret" not in str(caught.value)
    with pytest.raises(SourceFailed, match="form"):
        HuggingFaceSource().open("org/repo/a.bin")


def test_the_registry_knows_every_scheme_and_which_need_the_network():
    with Sources() as sources:
        needs = {scheme for scheme in SCHEMES if sources.needs_network(f"{scheme}:x")}
    assert needs == set(SCHEMES) - {"file", "package"}
    for wrong in ("", "a.bin", "ftp://host/a"):
        with pytest.raises(InvalidCard):
            split(wrong)
