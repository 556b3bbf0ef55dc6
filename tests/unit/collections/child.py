"""A process that works on a store: `python -m tests.unit.collections.child URL`; a line asks, a line answers.

add SEED          the new face's id         search SEED      the nearest face's id and its distance
delete ID         the ids deleted           count            how many faces there are
work SEED         never ends: adds faces, searches, deletes some of its own, and says `+ ID SEED` or `- ID` when
                  the store has answered
"""

from __future__ import annotations

import itertools
import random
import sys

from sightline.collections.open import open_store
from tests.unit.collections.people import MODEL, new_faces, probe, vectors


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def work(first: int) -> None:
    chance, own = random.Random(first), []
    for seed in itertools.count(first * 1_000_000, 3):
        found = vectors(3, seed)
        faces = store.faces.add("staff", MODEL, new_faces(found))
        for face in faces:
            say("+", face.face_id, seed)
        own += [face.face_id for face in faces]
        if chance.random() < 0.4:
            store.faces.search("staff", probe(found[0]), 5)
        if chance.random() < 0.3:
            gone = chance.sample(own, min(4, len(own)))
            own = [face for face in own if face not in gone]
            say("?", *gone)
            for face in store.faces.delete("staff", gone).done:
                say("-", face)


store = open_store(sys.argv[1])
say("ready")
for line in sys.stdin:
    command, *values = line.split()
    if command == "work":
        work(int(values[0]))
    elif command == "add":
        (face,) = store.faces.add("staff", MODEL, new_faces(vectors(1, int(values[0]))))
        say(face.face_id)
    elif command == "search":
        matches = store.faces.search("staff", probe(vectors(1, int(values[0]))[0]), 1)
        say(*(f"{match.face.face_id} {match.distance}" for match in matches))
    elif command == "delete":
        say(*store.faces.delete("staff", values).done)
    elif command == "count":
        say(store.collections.get("staff").faces)
