"""From a card to something that runs: the one place that names every architecture."""

from __future__ import annotations

import difflib
from importlib import import_module
from typing import Any

from sightline.engines.registry import OpenEngine, open_engine
from sightline.errors import InvalidCard
from sightline.models.card import Card
from sightline.models.store import Store
from sightline.settings import Settings

ARCHITECTURES = {
    "bcdunet": "sightline.architectures.bcdunet:BCDUNet",
    "blazeface": "sightline.architectures.blazeface:BlazeFace",
    "centernet": "sightline.architectures.centernet:CenterNet",
    "blazepose": "sightline.architectures.blazepose:BlazePose",
    "blazepose-detector": "sightline.architectures.blazepose_detector:BlazePoseDetector",
    "classifier": "sightline.architectures.classifier:Classifier",
    "deeplab": "sightline.architectures.deeplab:DeepLab",
    "dlib-face": "sightline.architectures.dlib_face:DlibFace",
    "embedding": "sightline.architectures.embedding:Embedding",
    "expression": "sightline.architectures.expression:Expression",
    "facemesh": "sightline.architectures.facemesh:FaceMesh",
    "figure": "sightline.architectures.figure:Figure",
    "haar": "sightline.architectures.haar:Haar",
    "hog": "sightline.architectures.hog:Hog",
    "siamese": "sightline.architectures.siamese:Siamese",
    "iris": "sightline.architectures.iris:Iris",
    "movenet": "sightline.architectures.movenet:MoveNet",
    "selfie": "sightline.architectures.selfie:Selfie",
    "semantic": "sightline.architectures.semantic:Semantic",
    "yolo": "sightline.architectures.yolo:Yolo",
    "yolox": "sightline.architectures.yolox:YoloX",
}


def architecture(card: Card) -> type[Any]:
    """The class of the card's architecture. Raises `InvalidCard` for one that nobody knows."""
    if card.architecture not in ARCHITECTURES:
        near = difflib.get_close_matches(card.architecture, ARCHITECTURES, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(ARCHITECTURES)}"
        raise InvalidCard(f"{card.name} names the architecture {card.architecture!r}, which nobody knows{hint}")
    module, _, name = ARCHITECTURES[card.architecture].partition(":")
    found: type[Any] = getattr(import_module(module), name)
    return found


def build(card: Card, store: Store, settings: Settings, engines: OpenEngine = open_engine) -> Any:
    """The card's architecture on an engine that `engines` opens; weights are pulled first where the store may.

    Raises `InvalidCard` for an architecture nobody knows, and what `Store.weights` and `open_engine` raise.
    """
    return architecture(card)(card, engines(card.engine, store.weights(card), settings))
