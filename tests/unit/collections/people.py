"""Faces for tests: vectors of people, drawn at random."""

from __future__ import annotations

import uuid
from dataclasses import replace

import numpy as np

from sightline.collections.base import Calibration, Embedding, EmbeddingModel, NewFace, RelativeBox

MODEL = EmbeddingModel("fake-embedder", "1", "a" * 64, 16)
OTHER = replace(MODEL, version="2")
CALIBRATION = Calibration(0.6, 50.0, "made up for tests")


def vectors(count: int, seed: int = 0, dimension: int = MODEL.dimension) -> np.ndarray:
    """count x dimension float32 of length 1."""
    drawn = np.random.default_rng(seed).standard_normal((count, dimension))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def new_face(vector: np.ndarray, **given: object) -> NewFace:
    """A face of a picture that was not seen before."""
    face = NewFace(vector, str(uuid.uuid4()), RelativeBox(0.25, 0.125, 0.5, 0.625), 0.9)
    return replace(face, **given)  # type: ignore[arg-type]


def new_faces(found: np.ndarray) -> list[NewFace]:
    return [new_face(vector) for vector in found]


def probe(vector: np.ndarray) -> Embedding:
    return Embedding(vector, MODEL)
