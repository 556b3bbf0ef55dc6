"""What can be said of a face beyond where it is: landmarks, pose, quality, eyes, mouth, smile, where it looks.

What no model here answers (age, gender, beard, moustache, glasses, sunglasses) has no member. `docs/face-details.md`
says how each answer is found and what it is worth.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np

from sightline.architectures.base import FaceDetector, FaceFound, FaceMesher, Model
from sightline.architectures.iris import EyeFound
from sightline.architectures.registry import build
from sightline.errors import Unavailable, UnknownModel
from sightline.images.geometry import Points
from sightline.images.picture import Picture, Pixels
from sightline.models.store import Store
from sightline.settings import Settings
from sightline.tasks.details import eyes as eye_rules
from sightline.tasks.details import mouth as mouth_rules
from sightline.tasks.details.landmarks import place
from sightline.tasks.details.occlusion import cut_off
from sightline.tasks.details.pose import Head, angles, solve_head
from sightline.tasks.details.quality import face_quality
from sightline.tasks.details.types import EyeDirection, Landmark, Pose, Quality, Verdict
from sightline.tasks.emotion import Emotion
from sightline.tasks.faces import Face, Faces
from sightline.tasks.registry import load

# A face turned further to a side than this shows too little of one half for measures of eyes and mouth (degrees of yaw;
# `benchmarks/face_details.py` prints what they are worth at each angle).
_FURTHEST = 40.0
# Lids and irises of an eye seen in fewer pixels across are not told apart.
_LEAST_EYE = 6.0
_EYE_WIDTH = 2.9


class EyeFinder(Model, Protocol):
    """Outlines eyes."""

    def eyes(self, pixels: Pixels, mesh: Points) -> tuple[EyeFound, EyeFound]:
        """The eye at the picture's left and the one at its right of the face whose mesh points (468 x 2, pixels of
        `pixels`) are `mesh`."""
        ...


@dataclass(frozen=True, slots=True)
class FaceDetails:
    """One face. What could not be judged is None (landmarks: an empty tuple): it is to be left out, not guessed.

    All coordinates are pixels of the upright picture, origin top left. Among `landmarks` left and right are the
    picture's, as Rekognition counts; in `face.landmarks` (the detector's) they are the person's own.
    """

    face: Face
    quality: Quality
    landmarks: tuple[Landmark, ...] = ()
    pose: Pose | None = None
    eyes_open: Verdict | None = None
    mouth_open: Verdict | None = None
    smile: Verdict | None = None
    face_occluded: Verdict | None = None
    """Only ever yes: eyes, nose or mouth lie outside the picture. No model here sees a hand or a mask."""
    eye_direction: EyeDirection | None = None
    emotions: dict[str, float] | None = None
    """The probability of each of `tasks.emotion.EMOTIONS`, summing to 1; None without an expression network."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON members; what is not known is left out."""
        said: dict[str, Any] = {"face": self.face.to_dict(), "quality": self.quality.to_dict()}
        if self.landmarks:
            said["landmarks"] = [landmark.to_dict() for landmark in self.landmarks]
        for name in ("pose", "eyes_open", "mouth_open", "smile", "face_occluded", "eye_direction"):
            answer = getattr(self, name)
            if answer is not None:
                said[name] = answer.to_dict()
        if self.emotions is not None:
            said["emotions"] = {name: round(value, 4) for name, value in self.emotions.items()}
        return said


class FaceDescriber:
    """Describes faces with the models it is given; what each missing one would answer is left out.

    `mesher` (468 points) answers landmarks, pose, mouth and smile; `eyes` the pupils, open eyes and their direction,
    on the mesh's points; `emotion` the emotions, and the smile in place of the mesh. Safe to share between threads.
    """

    def __init__(
        self,
        detector: FaceDetector,
        mesher: FaceMesher | None = None,
        eyes: EyeFinder | None = None,
        emotion: Emotion | None = None,
    ) -> None:
        self.detector, self.mesher, self.eyes, self.emotion = detector, mesher, eyes, emotion

    @property
    def models(self) -> tuple[Model, ...]:
        """Those that answer, the detector first."""
        classifier = None if self.emotion is None else self.emotion.classifier
        found: tuple[Model | None, ...] = (self.detector, self.mesher, self.eyes, classifier)
        return tuple(model for model in found if model is not None)

    def warm(self) -> None:
        """Run every model once, so that the first face is as fast as the second."""
        for model in self.models:
            model.warm()

    def describe(self, picture: Picture, at_least: float | None = None) -> tuple[FaceDetails, ...]:
        """Every face of the picture, the largest box first. `at_least` is the detector's least confidence, 0..1; None
        stands for the thresholds of its card."""
        faces = self.detector.detect(picture.pixels, at_least)
        described = (self.describe_face(picture, face) for face in faces)
        return tuple(sorted((one for one in described if one.face.box.area > 0), key=lambda one: -one.face.box.area))

    def describe_face(self, picture: Picture, found: FaceFound) -> FaceDetails:
        """One face, found in the picture's decoded pixels."""
        pixels = picture.pixels
        mesh = self._mesh(pixels, found)
        head = None if mesh is None else solve_head(mesh)
        emotions = self._emotions(pixels, found)
        smile = None if emotions is None else Verdict.of(emotions["happy"])
        said: dict[str, Any] = {}
        if mesh is not None and head is not None:
            said = self._judged(picture, mesh, head)
        if smile is not None:
            said["smile"] = smile
        return FaceDetails(
            face=Face.of(found, picture),
            quality=face_quality(pixels, found.box, mesh if head is not None else None),
            emotions=emotions,
            **said,
        )

    def _judged(self, picture: Picture, mesh: Points, head: Head) -> dict[str, Any]:
        """What the mesh and the eyes answer, by the names of the members of `FaceDetails`."""
        pose = angles(head.rotation)
        eyes = None
        if self.eyes is not None and head.scale * _EYE_WIDTH >= _LEAST_EYE and abs(pose.yaw) <= _FURTHEST:
            eyes = self.eyes.eyes(picture.pixels, mesh)
        placed = place(mesh, eyes)
        sx, sy = picture.scale
        said: dict[str, Any] = {
            "pose": pose,
            "landmarks": tuple(Landmark(name, x * sx, y * sy) for name, (x, y) in placed.items()),
            "face_occluded": cut_off(placed, picture.pixels.shape[1], picture.pixels.shape[0], head),
        }
        if abs(pose.yaw) <= _FURTHEST:
            mouth = mouth_rules.measure(mesh, head)
            said |= {"mouth_open": mouth_rules.mouth_open(mouth), "smile": mouth_rules.smile(mouth)}
        if eyes is not None:
            said["eyes_open"] = eye_rules.eyes_open(eyes, head)
            if said["eyes_open"].value:
                said["eye_direction"] = eye_rules.eye_direction(eyes, head)
        return said

    def _mesh(self, pixels: Pixels, found: FaceFound) -> Points | None:
        if self.mesher is None:
            return None
        mesh, confidence = self.mesher.points(pixels, found)
        return mesh if confidence >= self.mesher.card.threshold("score") else None

    def _emotions(self, pixels: Pixels, found: FaceFound) -> dict[str, float] | None:
        if self.emotion is None:
            return None
        (row,) = self.emotion.classifier.scores(np.stack([self.emotion.crop(pixels, found)]))
        return {label: float(value) for label, value in zip(self.emotion.card.labels, row, strict=True)}


def load_describer(settings: Settings | None = None, store: Store | None = None) -> FaceDescriber:
    """The describer of the default models: those of `faces` and `emotion`, the face mesh and the iris network. Weights
    that are not here are pulled unless the settings or the store forbid; without those of the mesh, the irises or the
    emotions what they would answer is left out.

    Raises what `tasks.registry.load` raises for `faces`.
    """
    settings = settings or Settings.from_env()
    store = store or Store(settings)
    detector = cast(Faces, load("faces", settings=settings, store=store)).detector
    mesher: FaceMesher | None = None
    eyes: EyeFinder | None = None
    emotion: Emotion | None = None
    with contextlib.suppress(Unavailable, UnknownModel):
        mesher = build(store.card("facemesh"), store, settings)
    with contextlib.suppress(Unavailable, UnknownModel):
        eyes = build(store.card("iris"), store, settings)
    with contextlib.suppress(Unavailable, UnknownModel):
        emotion = cast(Emotion, load("emotion", settings=settings, store=store))
    return FaceDescriber(detector, mesher, eyes, emotion)
