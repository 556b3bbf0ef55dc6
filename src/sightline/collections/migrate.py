"""Another embedding model for a collection that kept its pictures."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sightline.collections.base import Calibration, EmbeddingModel, Store, Vector
from sightline.errors import InvalidOption, SightlineError

Embed = Callable[[bytes], Vector]
"""From the encoded picture of one face to its vector."""

Progress = Callable[[int, int], None]
"""How many faces are done, and how many there are."""


def migrate(
    store: Store,
    collection_id: str,
    model: EmbeddingModel,
    calibration: Calibration,
    embed: Embed,
    progress: Progress = lambda done, total: None,
) -> int:
    """Embed every face of a collection anew and make `model` the collection's; how many faces there were.

    Searches and additions go on with the old model until all are done, then everything changes at once. Raises
    `InvalidOption`, and nothing has changed, where a face has no picture or its picture gives no vector.
    """
    vectors: dict[str, Vector] = {}
    while True:
        faces = []
        for face_id, picture in store.pictures.each(collection_id):
            faces.append(face_id)
            if face_id not in vectors:
                vectors[face_id] = _vector(face_id, picture, model, embed)
                progress(len(vectors), max(len(vectors), store.collections.get(collection_id).faces))
        # Faces that were added or removed since were missed: once more, for those alone.
        if store.pictures.reembed(collection_id, model, calibration, {face_id: vectors[face_id] for face_id in faces}):
            return len(faces)


def _vector(face_id: str, picture: bytes | None, model: EmbeddingModel, embed: Embed) -> Vector:
    if picture is None:
        raise InvalidOption(f"no picture of the face {face_id} was kept, so it cannot be embedded again")
    try:
        vector = np.asarray(embed(picture), np.float32)
    except SightlineError as error:
        raise InvalidOption(f"the face {face_id} cannot be embedded again: {error}; delete it first") from error
    if vector.shape != (model.dimension,) or not np.isfinite(vector).all():
        raise InvalidOption(f"the model {model.name} gave the face {face_id} no vector of {model.dimension} numbers")
    return vector
