"""Many threads, several processes, and processes that die: nothing answered is lost, nothing is there twice."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from sightline.collections.base import RelativeBox
from sightline.collections.open import DatabaseStore, open_store
from sightline.errors import UserExists
from tests.unit.collections.people import CALIBRATION, MODEL, new_face, new_faces, probe, vectors

ROOT = Path(__file__).parents[3]
Child = subprocess.Popen[str]


@pytest.fixture
def child(staff: DatabaseStore, url: str) -> Iterator[Callable[[], Child]]:
    """Starts processes that work on the store."""
    running: list[Child] = []

    def start() -> Child:
        command = [sys.executable, "-m", "tests.unit.collections.child", url]
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        running.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


def ask(process: Child, line: str) -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()
    return process.stdout.readline().strip()


def test_two_processes_see_each_others_faces(staff: DatabaseStore, child: Callable[[], Child]) -> None:
    other = child()
    for seed in range(0, 60, 2):
        theirs = ask(other, f"add {seed}")
        (match,) = staff.faces.search("staff", probe(vectors(1, seed)[0]), 1)
        assert (match.face.face_id, match.distance) == (theirs, 0.0)
        (ours,) = staff.faces.add("staff", MODEL, [new_face(vectors(1, seed + 1)[0], external_image_id="ours")])
        assert ask(other, f"search {seed + 1}") == f"{ours.face_id} 0.0"
        if seed % 3 == 0:
            assert staff.faces.delete("staff", [theirs]).done == (theirs,)
            assert not ask(other, f"search {seed}").startswith(theirs)
            assert ask(other, f"delete {ours.face_id}") == ours.face_id
            assert ours not in [match.face for match in staff.faces.search("staff", probe(vectors(1, seed + 1)[0]), 9)]
    assert ask(other, "count") == str(staff.collections.get("staff").faces) == "40"


def test_two_hundred_threads_and_a_process_add_at_once(staff: DatabaseStore, child: Callable[[], Child]) -> None:
    other = child()
    assert other.stdin is not None
    assert other.stdout is not None
    other.stdin.write("work 7\n")
    other.stdin.flush()
    found = vectors(600)
    shared = new_face(vectors(1, 5)[0], image_id="shared", box=RelativeBox(0, 0, 1, 1))
    start = threading.Barrier(200)

    def add(index: int) -> tuple[list[str], str]:
        own = [new_face(vector) for vector in found[3 * index : 3 * index + 3]]
        start.wait()
        faces = staff.faces.add("staff", MODEL, [own[0], shared, own[1], own[2]])
        matches = staff.faces.search("staff", probe(found[3 * index + 1]), 1)
        assert [match.face for match in matches] == [faces[2]]
        return [faces[0].face_id, faces[2].face_id, faces[3].face_id], faces[1].face_id

    with ThreadPoolExecutor(200) as pool:
        answers = list(pool.map(add, range(200)))
    other.kill()
    lines = [line.split() for line in other.stdout.read().splitlines()]
    answered = {words[1] for words in lines if words[0] == "+" and len(words) == 3}
    deleted = {face for words in lines if words[0] == "?" for face in words[1:]}
    assert len({face for _, face in answers}) == 1, "one face, added two hundred times at once, is one face"
    ours = [face for faces, _ in answers for face in faces]
    assert len(set(ours)) == 600
    listed = [face.face_id for face in staff.faces.list("staff", 100_000).items]
    assert len(listed) == len(set(listed)) == staff.collections.get("staff").faces
    assert set(ours) | (answered - deleted) <= set(listed)
    for index, (faces, _) in enumerate(answers):
        for face, vector in zip(faces, found[3 * index : 3 * index + 3], strict=True):
            assert (staff.faces.embedding("staff", face).vector == vector).all()


def test_two_hundred_threads_create_one_user(staff: DatabaseStore) -> None:
    start = threading.Barrier(200)

    def create(index: int) -> bool:
        start.wait()
        try:
            staff.users.create("staff", f"u{index % 4}", token="same" if index % 4 == 0 else None)
        except UserExists:
            return False
        return True

    with ThreadPoolExecutor(200) as pool:
        made = list(pool.map(create, range(200)))
    assert [sum(made[kind::4]) for kind in range(4)] == [50, 1, 1, 1], "a repeated token gets the first answer"
    assert staff.collections.get("staff").users == 4


def test_faces_go_to_one_user_only(staff: DatabaseStore) -> None:
    ids = [face.face_id for face in staff.faces.add("staff", MODEL, new_faces(vectors(40)))]
    for index in range(16):
        staff.users.create("staff", f"u{index}")
    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(lambda index: staff.users.associate("staff", f"u{index}", ids), range(16)))
    done = [face for outcome in outcomes for face in outcome.done]
    assert sorted(done) == sorted(ids)
    assert sum(user.faces for user in staff.users.list("staff", 99).items) == 40


def test_searching_while_faces_come_and_go_finds_what_stays(staff: DatabaseStore, url: str) -> None:
    found = vectors(20)
    stay = [face.face_id for face in staff.faces.add("staff", MODEL, new_faces(found))]
    second = open_store(url)
    stop = threading.Event()

    def churn(seed: int) -> None:
        while not stop.is_set():
            seed += 1
            faces = second.faces.add("staff", MODEL, new_faces(vectors(5, seed)))
            second.faces.delete("staff", [face.face_id for face in faces[:4]])

    def look(index: int) -> None:
        for _ in range(25):
            matches = staff.faces.search("staff", probe(found[index]), 3)
            assert matches[0].face.face_id == stay[index]
            assert matches[0].distance == 0.0

    with ThreadPoolExecutor(8) as pool:
        churning = [pool.submit(churn, seed * 100_000) for seed in (1, 2)]
        try:
            list(pool.map(look, range(6)))
        finally:
            stop.set()
        for job in churning:
            job.result()
    second.close()


def test_what_was_answered_survives_being_killed(staff: DatabaseStore, child: Callable[[], Child]) -> None:
    there: dict[str, int] = {}
    unsure: set[str] = set()
    gone: set[str] = set()
    for round_ in range(10):
        processes = [child(), child()]
        for index, process in enumerate(processes):
            assert process.stdin is not None
            process.stdin.write(f"work {2 * round_ + index}\n")
            process.stdin.flush()
        assert processes[0].stdout is not None
        processes[0].stdout.readline()
        time.sleep(0.01 + 0.013 * (round_ % 7))
        lines = []
        for process in processes:
            process.kill()
            lines += process.communicate()[0].splitlines()
        for line in lines:
            sign, *words = line.split()
            if sign == "+" and len(words) == 2:
                there[words[0]] = int(words[1])
            elif sign == "?":
                unsure |= set(words)
            elif sign == "-" and words and len(words[0]) == 36:
                gone.add(words[0])
        listed = {face.face_id for face in staff.faces.list("staff", 100_000).items}
        assert (there.keys() - unsure) <= listed
        assert not gone & listed
        assert staff.collections.get("staff").faces == len(listed)
        everything = staff.faces.search("staff", probe(vectors(1)[0]), 100_000)
        assert {match.face.face_id for match in everything} == listed
    assert len(there) > 30
    for face_id in list(there.keys() - unsure)[-20:]:
        vector = staff.faces.embedding("staff", face_id).vector
        assert (vectors(3, there[face_id]) == vector).all(axis=1).any()
        assert face_id in [match.face.face_id for match in staff.faces.search("staff", probe(vector), 2, within=0.0)]


def test_stores_opened_at_once_are_made_once(url: str) -> None:
    start = threading.Barrier(12)

    def begin(index: int) -> str:
        start.wait()
        opened = open_store(url)
        opened.collections.create(f"c{index}", replace(MODEL, dimension=4), CALIBRATION)
        opened.close()
        return f"c{index}"

    with ThreadPoolExecutor(12) as pool:
        names = set(pool.map(begin, range(12)))
    opened = open_store(url)
    assert {item.collection_id for item in opened.collections.list(99).items} == names
    opened.close()
