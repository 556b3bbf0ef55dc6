"""Cards made in a test."""

from __future__ import annotations

from typing import Any

from sightline.models.card import Card

TABLE: dict[str, Any] = {
    "name": "fake",
    "version": "1.0",
    "tasks": ["faces", "emotion", "similarity", "background", "lungs"],
    "architecture": "fake",
    "engine": "onnx",
    "summary": "A model for tests.",
    "training_data": "None.",
    "licence": {"spdx": "MIT", "holder": "Nobody"},
    "input": {"width": 4, "height": 4},
    "files": [{"path": "weights.bin", "sha256": "0" * 64, "size": 1}],
}


def card(**members: Any) -> Card:
    """A card with these members in place of the plain ones."""
    return Card.parse({**TABLE, **members})
