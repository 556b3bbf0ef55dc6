"""Pulling against a real HTTP server: resume, corruption, broken streams, and two processes at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sightline.errors import ChecksumMismatch, InvalidCard, ModelMissing, Offline, SourceFailed
from sightline.models.pull import pull


def _pull(card, folder, **options):
    pull(card, folder, {file.path: folder / file.path for file in card.files}, **options)


def test_a_file_arrives_whole_with_progress(site, tmp_path, make_card, bytes_of_weights):
    site.files["/model.bin"] = bytes_of_weights
    calls = []
    card = make_card(f"{site.url}/model.bin", bytes_of_weights)
    _pull(card, tmp_path / "m", progress=lambda *call: calls.append(call))
    assert (tmp_path / "m" / "model.bin").read_bytes() == bytes_of_weights
    assert not list(tmp_path.rglob("*.part"))
    done = [call[1] for call in calls]
    assert done[0] == 0
    assert done[-1] == len(bytes_of_weights)
    assert done == sorted(done)
    assert {(call[0], call[2]) for call in calls} == {("model.bin", len(bytes_of_weights))}


def test_a_part_left_behind_is_resumed(site, tmp_path, make_card, bytes_of_weights):
    site.files["/model.bin"] = bytes_of_weights
    (tmp_path / "model.bin.part").write_bytes(bytes_of_weights[:700_000])
    calls = []
    _pull(make_card(f"{site.url}/model.bin", bytes_of_weights), tmp_path, progress=lambda *call: calls.append(call))
    assert site.requests == [("/model.bin", "bytes=700000-")]
    assert calls[0][1] == 700_000
    assert (tmp_path / "model.bin").read_bytes() == bytes_of_weights


def test_a_complete_part_needs_no_request(site, tmp_path, make_card, bytes_of_weights):
    (tmp_path / "model.bin.part").write_bytes(bytes_of_weights)
    _pull(make_card(f"{site.url}/model.bin", bytes_of_weights), tmp_path)
    assert site.requests == []
    assert (tmp_path / "model.bin").read_bytes() == bytes_of_weights


def test_a_server_without_ranges_is_read_from_the_start(site, tmp_path, make_card, bytes_of_weights):
    site.files["/model.bin"], site.ranges = bytes_of_weights, False
    (tmp_path / "model.bin.part").write_bytes(bytes_of_weights[:700_000])
    _pull(make_card(f"{site.url}/model.bin", bytes_of_weights), tmp_path)
    assert len(site.requests) == 1
    assert (tmp_path / "model.bin").read_bytes() == bytes_of_weights


@pytest.mark.parametrize("old", [b"x" * 700_000, b"x" * 2_000_000])
def test_a_part_of_another_file_is_thrown_away(site, tmp_path, make_card, bytes_of_weights, old):
    site.files["/model.bin"] = bytes_of_weights
    (tmp_path / "model.bin.part").write_bytes(old)
    _pull(make_card(f"{site.url}/model.bin", bytes_of_weights), tmp_path)
    assert site.requests[-1] == ("/model.bin", None)
    assert (tmp_path / "model.bin").read_bytes() == bytes_of_weights


def test_a_broken_stream_is_taken_up_once(site, tmp_path, make_card, bytes_of_weights):
    site.files["/model.bin"], site.break_after = bytes_of_weights, [600_000]
    _pull(make_card(f"{site.url}/model.bin", bytes_of_weights), tmp_path)
    assert [asked for _, asked in site.requests] == [None, "bytes=600000-"]
    assert (tmp_path / "model.bin").read_bytes() == bytes_of_weights


def test_a_stream_that_breaks_twice_keeps_its_part_for_later(site, tmp_path, make_card, bytes_of_weights):
    site.files["/model.bin"], site.break_after = bytes_of_weights, [300_000, 300_000]
    card = make_card(f"{site.url}/model.bin", bytes_of_weights)
    with pytest.raises(SourceFailed, match=r"model\.bin"):
        _pull(card, tmp_path)
    assert not (tmp_path / "model.bin").exists()
    assert (tmp_path / "model.bin.part").stat().st_size == 600_000
    _pull(card, tmp_path)
    assert site.requests[-1] == ("/model.bin", "bytes=600000-")
    assert (tmp_path / "model.bin").read_bytes() == bytes_of_weights


@pytest.mark.parametrize("served", [b"y" * (1 << 20), b"y" * (3 << 20)], ids=["wrong", "endless"])
def test_wrong_bytes_leave_nothing_behind(site, tmp_path, make_card, bytes_of_weights, served):
    site.files["/model.bin"] = served
    card, done = make_card(f"{site.url}/model.bin", bytes_of_weights), []
    with pytest.raises(ChecksumMismatch, match=r"model\.bin"):
        _pull(card, tmp_path, progress=lambda file, so_far, total: done.append(so_far))
    assert max(done) <= len(bytes_of_weights)  # what is more than the card states is not even written
    assert len(site.requests) == 1
    assert [path.name for path in tmp_path.iterdir() if path.name != ".lock"] == []


def test_a_damaged_file_is_replaced_and_a_good_one_left_alone(site, tmp_path, make_card, bytes_of_weights):
    site.files["/model.bin"] = bytes_of_weights
    card = make_card(f"{site.url}/model.bin", bytes_of_weights)
    (tmp_path / "model.bin").write_bytes(b"damaged")
    _pull(card, tmp_path)
    _pull(card, tmp_path)
    assert len(site.requests) == 1
    assert (tmp_path / "model.bin").read_bytes() == bytes_of_weights


def test_offline_opens_no_socket_but_reads_files(site, tmp_path, make_card, bytes_of_weights):
    site.files["/model.bin"] = bytes_of_weights
    with pytest.raises(Offline):
        _pull(make_card(f"{site.url}/model.bin", bytes_of_weights), tmp_path / "a", offline=True)
    assert site.requests == []
    (tmp_path / "here.bin").write_bytes(bytes_of_weights)
    _pull(make_card("file:here.bin", bytes_of_weights, tmp_path), tmp_path / "b", offline=True)
    assert (tmp_path / "b" / "model.bin").read_bytes() == bytes_of_weights


def test_an_answer_other_than_success_is_one_clear_line(site, tmp_path, make_card):
    with pytest.raises(SourceFailed, match="404") as caught:
        _pull(make_card(f"{site.url}/gone.bin?signature=secret", b"x"), tmp_path)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_scheme_is_the_cards_fault(tmp_path, make_card):
    with pytest.raises(InvalidCard, match="gopher:"):
        _pull(make_card("gopher:x", b"x"), tmp_path)


def test_a_folder_that_cannot_be_written_says_where(tmp_path, make_card):
    (tmp_path / "taken").write_bytes(b"")
    with pytest.raises(ModelMissing, match="SIGHTLINE_CACHE"):
        _pull(make_card("file:x", b"x"), tmp_path / "taken" / "model")


_CHILD = """
import json, sys
from pathlib import Path
from sightline.models.store import Store
from sightline.settings import Settings
store = Store(Settings(cache=Path(sys.argv[1]), models=Path(sys.argv[2])), zoo=Path(sys.argv[2]))
print("up", flush=True)
sys.stdin.readline()
path = store.weights(store.card("fake"))
print(json.dumps([str(path), path.stat().st_size]))
"""


def test_two_processes_pull_once(site, tmp_path, write_card, file_entry, bytes_of_weights):
    site.files["/model.bin"], site.delay = bytes_of_weights, 1.0
    write_card(tmp_path / "zoo", "fake", [file_entry(f"{site.url}/model.bin", bytes_of_weights)])
    command = [sys.executable, "-c", _CHILD, str(tmp_path / "cache"), str(tmp_path / "zoo")]
    children = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for child in children:
        assert child.stdout.readline() == "up\n"
    for child in children:  # both have found it missing long before the first answer comes
        child.stdin.write("go\n")
        child.stdin.flush()
    answers = [json.loads(child.communicate(timeout=60)[0]) for child in children]
    assert [child.returncode for child in children] == [0, 0]
    assert answers[0] == answers[1] == [str(tmp_path / "cache/models/fake/1.0/model.bin"), len(bytes_of_weights)]
    assert Path(answers[0][0]).read_bytes() == bytes_of_weights
    assert len(site.requests) == 1


def test_a_killed_pull_blocks_nobody_and_is_resumed(site, tmp_path, write_card, file_entry, bytes_of_weights):
    site.files["/model.bin"], site.delay = bytes_of_weights, 30.0
    write_card(tmp_path / "zoo", "fake", [file_entry(f"{site.url}/model.bin", bytes_of_weights)])
    command = [sys.executable, "-c", _CHILD, str(tmp_path / "cache"), str(tmp_path / "zoo")]
    first = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    first.stdin.write("go\n")
    first.stdin.flush()
    while not site.requests:  # it holds the lock and waits for its answer
        assert first.poll() is None
    first.kill()
    first.communicate()
    site.delay = 0.0
    done = subprocess.run(command, input="go\n", capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stdout.splitlines()[-1])[1] == len(bytes_of_weights)
