"""What this protocol asks the resident tasks about faces. Everything here runs in the runtime's workers."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np
from PIL import Image

from sightline.architectures.base import FaceDetector, FaceFound, FaceMesher
from sightline.architectures.registry import build
from sightline.collections.base import Calibration, EmbeddingModel, Vector
from sightline.errors import SightlineError
from sightline.images.encode import encode
from sightline.images.picture import Picture
from sightline.protocols.rekognition.faults import Fault, not_offered
from sightline.serving.runtime import Runtime
from sightline.tasks.base import Task
from sightline.tasks.crops import find_faces
from sightline.tasks.face_details import EyeFinder, FaceDescriber, FaceDetails
from sightline.tasks.similarity import Similarity

log = logging.getLogger("sightline")

MOST = 100
"""Faces of one picture that are looked at: the largest ones."""
_MARGIN = 0.5


Attributes = frozenset[str]
"""What a request asks of a face: names of the model's enum `Attribute`."""
DEFAULT: Attributes = frozenset({"DEFAULT"})


def wants(attributes: Attributes, *names: str) -> bool:
    """Whether one of these attributes is asked for, by name or by ALL."""
    return "ALL" in attributes or any(name in attributes for name in names)


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A face of a picture: where it was found among the decoded pixels, and what can be said of it."""

    found: FaceFound
    details: FaceDetails


class FaceReader:
    """Finds, describes and embeds faces with the tasks that the runtime keeps."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def see(self, picture: Picture, attributes: Attributes = DEFAULT) -> Iterator[Seen]:
        """The largest faces of a picture, at most 100, largest first, each described when its turn comes, as far as
        these attributes need. Raises `Fault` where no task finds faces here."""
        detector, mesher = self._finders()
        emotion: Any = self._runtime.tasks.get("emotion") if wants(attributes, "EMOTIONS", "SMILE") else None
        eyes = self._eyes if wants(attributes, "EYES_OPEN", "EYE_DIRECTION") else None
        describer = FaceDescriber(detector, mesher, eyes, emotion)
        faces = sorted(find_faces(detector, mesher, picture), key=lambda face: face.box.area, reverse=True)
        seen = (Seen(face, describer.describe_face(picture, face)) for face in faces)
        # A box wholly outside the picture has nothing to show of itself.
        return islice((one for one in seen if one.details.face.box.area > 0), MOST)

    def embed(self, picture: Picture, faces: Sequence[Seen]) -> list[Vector]:
        """One vector a face. Raises `Fault` where faces are not compared here."""
        task = self.similarity
        chips = []
        for face in faces:
            mesh = None if task.mesher is None else task.mesher.points(picture.pixels, face.found)[0]
            chips.append(task.embedder.align(picture.pixels, face.found, mesh))
        # One at a time: the memory that a picture takes does not grow with its faces.
        return [np.asarray(task.embedder.embed(chip[None])[0], np.float32) for chip in chips]

    @property
    def similarity(self) -> Similarity:
        """The task that compares faces. Raises `Fault` where it is not served."""
        task: Any = served(self._runtime, "similarity")
        return task  # type: ignore[no-any-return]

    @cached_property
    def model(self) -> EmbeddingModel:
        """What makes the vectors. Raises `Fault` where a collection cannot hold them."""
        embedder = self.similarity.embedder
        card = embedder.card
        if card.options.get("metric", "euclidean") != "euclidean":
            raise not_offered(f"collections measure Euclidean distances; {card.name} has a measure of its own")
        blank = np.zeros((1, card.input.height, card.input.width, 3), np.uint8)
        return EmbeddingModel.of(card.identity, embedder.embed(blank).shape[1])

    @property
    def calibration(self) -> Calibration:
        """What a new collection takes distances to mean."""
        return Calibration.of_card(self.similarity.card)

    @cached_property
    def _eyes(self) -> EyeFinder | None:
        """The network that outlines eyes, where its weights are here."""
        store = self._runtime.store
        try:
            found: EyeFinder = build(store.card("iris"), store, replace(self._runtime.settings, threads=1))
        except SightlineError as error:
            log.warning("eyes are not looked at: %s", error)
            return None
        return found

    def _finders(self) -> tuple[FaceDetector, FaceMesher | None]:
        tasks: Any = self._runtime.tasks
        for name in ("similarity", "emotion", "faces"):
            if name in tasks:
                return tasks[name].detector, getattr(tasks[name], "mesher", None)
        return served(self._runtime, "faces").detector, None  # type: ignore[attr-defined]


def served(runtime: Runtime, name: str) -> Task[Any, Any]:
    """The resident task. Raises `Fault`: one to try again while models load, a permanent one after."""
    if name in runtime.tasks:
        return runtime.tasks[name]
    reason = runtime.not_ready()
    if runtime.loading:
        raise Fault("ThrottlingException", reason or "models are being loaded")
    absent = runtime.absent.get(name)
    said = absent.reason if absent else reason or "this server was not asked to"
    raise not_offered(f"{name} is not served here: {said}")


def crop(picture: Picture, face: Seen) -> bytes:
    """A JPEG of this one face with half a face of margin around it, for collections that keep pictures."""
    box = face.found.box
    height, width = picture.pixels.shape[:2]
    left, top = max(0, round(box.x - box.width * _MARGIN)), max(0, round(box.y - box.height * _MARGIN))
    right = min(width, round(box.x + box.width * (1 + _MARGIN)))
    bottom = min(height, round(box.y + box.height * (1 + _MARGIN)))
    return encode(Image.fromarray(picture.pixels[top:bottom, left:right]), "JPEG", quality=95)
