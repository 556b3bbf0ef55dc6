"""The store: which card counts, what state its files are in, and what is done about it."""

from __future__ import annotations

import dataclasses
import json

import pytest

from sightline.errors import ChecksumMismatch, InvalidCard, ModelMissing, Offline, UnknownModel
from sightline.models.store import ZOO, Store
from sightline.settings import Settings

DEFAULTS = {
    "blazeface-short",
    "blazeface-full",
    "facemesh",
    "selfie",
    "selfie-landscape",
    "dlib-face",
    "haar-frontal",
    "iris",
}


@pytest.fixture
def settings(tmp_path):
    return Settings(cache=tmp_path / "cache")


@pytest.fixture
def pulled(site, tmp_path, settings, write_card, file_entry, bytes_of_weights):
    """A store with one card that has been pulled from `site`."""
    site.files["/model.bin"] = bytes_of_weights
    write_card(tmp_path / "zoo", "fake", [file_entry(f"{site.url}/model.bin", bytes_of_weights)])
    store = Store(settings, zoo=tmp_path / "zoo")
    assert store.state(store.card("fake")) == "missing"
    store.pull(store.card("fake"))
    return store


GREY = {"expression", "bcdunet"}


def test_every_shipped_card_is_valid_and_named_as_its_folder():
    cards = Store(Settings()).cards()
    assert {card.name for card in cards} >= DEFAULTS
    for card in cards:
        assert card.directory == ZOO / card.name
        assert len(card.input.mean) == len(card.input.scale) == (3 if card.architecture not in GREY else 1)
        assert all(file.size > 0 for file in card.files)


def test_the_cascade_answers_without_cache_and_network(tmp_path):
    store = Store(Settings(cache=tmp_path / "none", offline=True), pull=False)
    card = store.card("haar-frontal")
    assert store.state(card) == "ready"
    assert store.weights(card).name == "haarcascade_frontalface_default.xml"
    assert not (tmp_path / "none").exists()


def test_an_unknown_name_suggests_the_near_ones(settings):
    with pytest.raises(UnknownModel, match="did you mean blazeface-short"):
        Store(settings).card("blazeface-shrt")
    with pytest.raises(UnknownModel, match="sightline models list"):
        Store(settings).card("qqqqqq")


def test_the_users_card_counts_before_the_shipped_one(tmp_path, settings, write_card, file_entry):
    write_card(tmp_path / "zoo", "one", [file_entry(None, b"shipped")])
    write_card(tmp_path / "zoo", "two", [file_entry(None, b"shipped")])
    write_card(tmp_path / "mine", "one", [file_entry(None, b"mine")], version="9.0")
    store = Store(dataclasses.replace(settings, models=tmp_path / "mine"), zoo=tmp_path / "zoo")
    assert [(card.name, card.version) for card in store.cards()] == [("one", "9.0"), ("two", "1.0")]
    assert store.card("one").version == "9.0"
    (tmp_path / "mine" / "one" / "model.bin").write_bytes(b"mine")
    assert store.state(store.card("one")) == "own"


def test_a_shipped_file_is_used_where_it_lies(tmp_path, settings, write_card, file_entry):
    path = write_card(tmp_path / "zoo", "fake", [file_entry(None, b"weights")]).with_name("model.bin")
    store = Store(settings, zoo=tmp_path / "zoo")
    card = store.card("fake")
    assert store.state(card) == "missing"
    with pytest.raises(ModelMissing):
        store.weights(card)
    path.write_bytes(b"weights")
    assert store.state(card) == "shipped"
    assert store.weights(card) == path
    path.write_bytes(b"otherwise")
    assert store.state(card) == "corrupt"
    with pytest.raises(ChecksumMismatch, match="cannot be used"):
        store.weights(card)
    assert not settings.cache.exists()


def test_a_good_cache_is_read_without_a_request_and_from_a_read_only_place(pulled, site, settings):
    card = pulled.card("fake")
    site.requests.clear()
    (settings.cache / "models/fake/1.0/.lock").unlink()
    assert pulled.weights(card).read_bytes() == site.files["/model.bin"]
    assert pulled.state(card) == "ready"
    assert pulled.verify(card) == []
    assert site.requests == []
    assert not (settings.cache / "models/fake/1.0/.lock").exists()  # nothing was written to look


def test_a_flipped_bit_is_found_and_pulled_again(pulled, site):
    card = pulled.card("fake")
    path = pulled.weights(card)
    damaged = bytearray(path.read_bytes())
    damaged[500_000] ^= 1
    path.write_bytes(damaged)
    assert pulled.state(card) == "corrupt"
    assert len(pulled.verify(card)) == 1
    assert card.files[0].sha256 in pulled.verify(card)[0]
    assert pulled.weights(card).read_bytes() == site.files["/model.bin"]
    assert len(site.requests) == 2


@pytest.mark.parametrize("damage", [True, False])
def test_offline_refuses_with_the_reason(pulled, site, settings, damage):
    card = pulled.card("fake")
    path = pulled.weights(card)
    path.write_bytes(b"damaged") if damage else path.unlink()
    site.requests.clear()
    offline = Store(dataclasses.replace(settings, offline=True), zoo=card.directory.parent)
    with pytest.raises(Offline, match="has sha256" if damage else "is missing"):
        offline.weights(card)
    assert site.requests == []


def test_without_leave_to_pull_the_command_is_named(pulled, site, settings):
    card = pulled.card("fake")
    path = pulled.weights(card)
    still = Store(settings, pull=False, zoo=card.directory.parent)
    assert still.weights(card) == path
    site.requests.clear()
    path.write_bytes(b"damaged")
    with pytest.raises(ChecksumMismatch, match="sightline models pull fake"):
        still.weights(card)
    path.unlink()
    with pytest.raises(ModelMissing, match="sightline models pull fake"):
        still.weights(card)
    assert site.requests == []
    still.pull(card)  # asked for by name, it may
    assert still.weights(card) == path


@pytest.mark.parametrize("version", ["../../elsewhere", "", ".", "a/b"])
def test_a_version_cannot_leave_the_cache(settings, make_card, version):
    with pytest.raises(InvalidCard, match="version"):
        Store(settings).weights(make_card("file:x", b"x", version=version))


def test_an_output_cannot_leave_the_cache(settings, make_card):
    card = make_card("file:x", b"x", convert={"importer": "faceapi", "output": "../x.onnx"})
    with pytest.raises(InvalidCard, match="output"):
        Store(settings).weights(card)


class TestConversion:
    """With an importer that joins the files, in place of a real one."""

    @pytest.fixture
    def converted(self, tmp_path, settings, make_card, file_entry, monkeypatch):
        class Joining:
            calls = 0

            def convert(self, files, output):
                Joining.calls += 1
                output.write_bytes(b"+".join(path.read_bytes() for path in files.values()))

        monkeypatch.setattr("sightline.models.importers.find", lambda name: Joining())
        for name in "ab":
            (tmp_path / name).write_bytes(name.encode())
        files = [file_entry("file:a", b"a", "one"), file_entry("file:b", b"b", "two")]
        convert = {"importer": "faceapi", "output": "joined.bin"}
        return Store(settings), make_card(None, b"", tmp_path, files=files, convert=convert), Joining

    def test_the_engine_gets_the_output_and_it_is_made_once(self, converted):
        store, card, joining = converted
        assert store.weights(card).read_bytes() == b"a+b"
        store.weights(card)
        assert joining.calls == 1
        assert store.state(card) == "ready"
        assert not list(store.folder(card).glob("*.part"))
        lock = json.loads((store.folder(card) / "lock.json").read_text())
        assert lock["files"] == {file.path: file.sha256 for file in card.files}

    def test_a_damaged_output_is_found_and_made_again_without_network(self, converted, settings, tmp_path):
        store, card, joining = converted
        store.weights(card).write_bytes(b"a-b")
        assert store.state(card) == "corrupt"
        assert "joined.bin" in store.verify(card)[0]
        offline = Store(dataclasses.replace(settings, offline=True))
        assert offline.weights(card).read_bytes() == b"a+b"
        assert joining.calls == 2

    def test_a_lost_output_or_lock_is_made_again(self, converted):
        store, card, joining = converted
        store.weights(card).unlink()
        assert store.state(card) == "missing"
        store.weights(card)
        (store.folder(card) / "lock.json").write_text("{")
        assert store.state(card) == "corrupt"
        store.weights(card)
        assert joining.calls == 3
        assert store.state(card) == "ready"

    def test_a_newer_importer_converts_again(self, converted, monkeypatch):
        store, card, joining = converted
        store.weights(card)
        monkeypatch.setattr("sightline.models.importers.revision", lambda name: 99)
        assert store.state(card) == "corrupt"
        store.weights(card)
        assert joining.calls == 2

    def test_a_conversion_that_fails_leaves_nothing_to_load(self, converted, monkeypatch):
        store, card, joining = converted

        def fail(self, files, output):
            output.write_bytes(b"half")
            raise RuntimeError

        monkeypatch.setattr(joining, "convert", fail)
        with pytest.raises(RuntimeError):
            store.weights(card)
        assert sorted(path.name for path in store.folder(card).iterdir()) == [".lock", "one", "two"]


@pytest.mark.models
@pytest.mark.timeout(300)
def test_the_default_detector_is_pulled_from_the_users_index(tmp_path):
    store = Store(Settings(cache=tmp_path))
    card = store.card("blazeface-short")
    assert store.weights(card).stat().st_size == 229_714
    assert store.state(card) == "ready"


@pytest.mark.models
@pytest.mark.timeout(300)
def test_the_face_network_is_pulled_from_the_users_registry_and_converted(tmp_path):
    store = Store(Settings(cache=tmp_path))
    card = store.card("dlib-face")
    assert store.weights(card).name == "model.onnx"
    assert store.verify(card) == []
