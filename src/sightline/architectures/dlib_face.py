"""dlib's face network: 150 x 150 aligned faces into 128 numbers (King 2017, `dlib_face_recognition_resnet_model_v1`).

Two faces of one person lie closer than about 0.6 (Euclidean). The weights were trained on faces cut out as
`align` does it: dlib's own chip of 150 pixels with a quarter of padding, placed by five points.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sightline.architectures.base import Architecture, FaceFound
from sightline.errors import ModelMissing
from sightline.images.geometry import Points, similarity_transform, warp
from sightline.images.picture import Pixels

_SIDE = 150
_PADDING = 0.25
# dlib's mean face (image_transforms/interpolation.h): the person's left eye (outer, inner corner), right eye
# (outer, inner corner), base of the nose; the face's box is the unit square.
_MEAN_FACE = np.array(
    [
        [0.8595674595992, 0.2134981538014],
        [0.6460604764104, 0.2289674387677],
        [0.1205750620789, 0.2137274526848],
        [0.3340850613712, 0.2290642403242],
        [0.4901123135679, 0.6277975316475],
    ]
)
_CHIP = np.asarray((_MEAN_FACE + _PADDING) / (1 + 2 * _PADDING) * _SIDE, np.float32)
# The same five points among the 468 of the face mesh.
_MESH = [263, 362, 33, 133, 2]


class DlibFace(Architecture):
    """Embeds aligned faces; a face and its mirror image are embedded and averaged, as dlib's jitter does."""

    needs_mesh = True

    def align(self, pixels: Pixels, face: FaceFound, mesh: Points | None) -> Pixels:
        """The 150 x 150 x 3 chip of a face whose 468 mesh points (pixels of `pixels`) are `mesh`.

        Raises `ModelMissing` without a mesh.
        """
        if mesh is None:
            raise ModelMissing(f"{self.card.name} compares aligned faces only, which needs the model facemesh")
        affine = similarity_transform(mesh[_MESH], _CHIP)
        return warp(pixels, affine, _SIDE, _SIDE)

    def embed(self, faces: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """N x 128 float32 for N x 150 x 150 x 3 RGB uint8 chips of `align`."""
        both = np.concatenate([faces, faces[:, :, ::-1]])
        (vectors,) = self.engine.run(self.prepare(both))
        return np.asarray((vectors[: len(faces)] + vectors[len(faces) :]) / 2, np.float32)

    def distance(self, a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> float:
        """Euclidean."""
        return float(np.linalg.norm(a - b))
