"""Where known faces live: the words, and what every store can do.

A collection holds faces (one vector each) and users (one vector each, made from the faces associated with them), all
embedded by one model. A store never sees a picture's pixels and runs no network: vectors come in, distances go out.
Distances are Euclidean; `Calibration` turns them into the 0..100 that people read.

Every method of the protocols below may be called from any thread, by any number of processes on one store. What a
method has returned is durable. All raise `StoreUnavailable` where the database does not answer, and, unless said
otherwise, `CollectionMissing` for a collection that is not there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from sightline.errors import InvalidOption
from sightline.models.card import Card, Identity

Vector = npt.NDArray[np.float32]
"""One embedding: shape (D,), float32, finite."""

USER_FACES = 100
"""The most faces one user may be associated with (Rekognition's own limit)."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """What made a vector. Vectors of two models cannot be compared, so a collection has exactly one."""

    name: str
    version: str
    sha256: str
    dimension: int

    @classmethod
    def of(cls, identity: Identity, dimension: int) -> EmbeddingModel:
        """The model of a card's identity, with the length of its vectors."""
        return cls(identity.name, identity.version, identity.sha256, dimension)

    @property
    def identity(self) -> Identity:
        """As the card has it."""
        return Identity(self.name, self.version, self.sha256)


@dataclass(frozen=True, slots=True)
class Embedding:
    """A vector and the model that made it."""

    vector: Vector
    model: EmbeddingModel


@dataclass(frozen=True, slots=True)
class Calibration:
    """How a Euclidean distance becomes a similarity: 100 / (1 + exp(slope * (distance - middle))).

    `slope` and `middle` are Platt's curve fitted to labelled pairs. By default (`Calibration.of_card`) similarity is
    the probability in percent that two faces are one person, if half of all compared pairs were. After `sightline
    collections calibrate` the curve is shifted, which is the same as assuming another share of equal pairs, so that
    similarity 80 (the threshold that Rekognition's clients use unless they say otherwise) lies where the wanted
    false-match rate was measured.
    """

    middle: float
    slope: float
    source: str
    """What it was measured on, in words."""
    false_match_rate: float | None = None
    """The share of pairs of two people at or above similarity 80, wanted and met when it was measured."""
    interval: tuple[float, float] | None = None
    """95% confidence interval of the rate measured at that threshold."""
    pairs: int | None = None
    """Labelled pairs that it was measured on."""
    spread: float = 0.0
    """How far a person's faces lie from their mean: the expected squared distance, which is half of that between two of
    them. Users are searched with it (`Users`)."""

    @classmethod
    def of_card(cls, card: Card) -> Calibration:
        """What the card of a face embedder states in its options `slope` and `middle`. Raises `InvalidOption` for a
        card without them, and for one whose metric is not Euclidean."""
        options = card.options
        if options.get("metric", "euclidean") != "euclidean" or not {"slope", "middle"} <= options.keys():
            raise InvalidOption(f"the model {card.name} has no Euclidean distance with a calibration on its card")
        measured = f" ({card.figures[0].dataset})" if card.figures else ""
        source = f"the card of {card.name} {card.version}{measured}"
        return cls(float(options["middle"]), float(options["slope"]), source, spread=float(options.get("spread", 0.0)))

    def similarity(self, distance: float) -> float:
        """0..100, falling as the distance grows."""
        return 100 / (1 + math.exp(max(-60.0, min(60.0, self.slope * (distance - self.middle)))))

    def distance(self, similarity: float) -> float:
        """The distance of this similarity, the inverse of `similarity`: infinite at 0 or less, 0 at 100 or more."""
        if similarity <= 0:
            return math.inf
        if similarity >= 100:
            return 0.0
        return max(0.0, self.middle + math.log((100 - similarity) / similarity) / self.slope)


@dataclass(frozen=True, slots=True)
class Collection:
    """One collection as it stands."""

    collection_id: str
    model: EmbeddingModel
    calibration: Calibration
    created: datetime
    """In UTC, with its time zone."""
    faces: int
    users: int
    keep_pictures: bool = False
    """Whether the pictures of faces are kept too, so that another model can embed them again (`migrate`)."""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RelativeBox:
    """A face's box as shares of the upright picture's width and height; origin top left."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class NewFace:
    """A face to be stored."""

    vector: Vector
    image_id: str
    """The picture's id, by the caller: the same bytes should get the same id (see `Faces.add`)."""
    box: RelativeBox
    confidence: float
    """How sure the detector was, 0..1."""
    external_image_id: str | None = None
    details: Mapping[str, Any] | None = None
    """Whatever else should come back with the face: JSON members."""
    picture: bytes | None = None
    """An encoded picture of this one face with some margin; stored only where the collection keeps pictures."""


@dataclass(frozen=True, slots=True)
class StoredFace:
    """A face of a collection, without its vector."""

    face_id: str
    """A random UUID, lower case, from the store."""
    image_id: str
    box: RelativeBox
    confidence: float
    external_image_id: str | None = None
    user_id: str | None = None
    """The user it is associated with."""
    details: Mapping[str, Any] | None = None
    model: EmbeddingModel | None = None
    """The model of its vector: the collection's."""


class UserStatus(StrEnum):
    """A user's state, in Rekognition's words. Changes are made at once, so that UPDATING and CREATING never show."""

    CREATED = "CREATED"
    """No face is associated; the user cannot be found by searching."""
    ACTIVE = "ACTIVE"


@dataclass(frozen=True, slots=True)
class User:
    """A person of a collection, known by the faces associated with them."""

    user_id: str
    status: UserStatus
    created: datetime
    faces: int


@dataclass(frozen=True, slots=True)
class FaceMatch:
    """A face that was found, and how far it lies from what was searched for."""

    face: StoredFace
    distance: float


@dataclass(frozen=True, slots=True)
class UserMatch:
    """A user who was found, and how far their vector lies from what was searched for."""

    user: User
    distance: float


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list. `next` is the token of the next part; None where this was the last."""

    items: tuple[T, ...]
    next: str | None


class Reason(StrEnum):
    """Why something was not done to one face; the first four are Rekognition's words."""

    FACE_NOT_FOUND = "FACE_NOT_FOUND"
    ASSOCIATED_TO_AN_EXISTING_USER = "ASSOCIATED_TO_AN_EXISTING_USER"
    ASSOCIATED_TO_A_DIFFERENT_USER = "ASSOCIATED_TO_A_DIFFERENT_USER"
    LOW_MATCH_CONFIDENCE = "LOW_MATCH_CONFIDENCE"
    USER_IS_FULL = "USER_IS_FULL"
    """The user has `USER_FACES` faces. Rekognition has no word for it; it then gives no reason."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A face that something was not done to."""

    face_id: str
    reason: Reason
    user_id: str | None = None
    """The user that the face is associated with."""
    distance: float | None = None
    """For LOW_MATCH_CONFIDENCE: how far the face lies from the user's vector."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the faces of one request: `done` in the order asked, each once."""

    done: tuple[str, ...]
    refused: tuple[Refused, ...] = ()
    status: UserStatus | None = None
    """The user's, after it; None where no user was involved."""


class Collections(Protocol):
    """The collections of a store."""

    def create(
        self,
        collection_id: str,
        model: EmbeddingModel,
        calibration: Calibration,
        *,
        tags: Mapping[str, str] | None = None,
        keep_pictures: bool = False,
    ) -> Collection:
        """A new, empty collection. Raises `CollectionExists`."""
        ...

    def get(self, collection_id: str) -> Collection: ...

    def list(self, limit: int, page: str | None = None) -> Page[Collection]:
        """Collections, oldest first. Raises `InvalidPage` for a token that no `list` of this kind gave."""
        ...

    def delete(self, collection_id: str) -> None:
        """Remove the collection, its faces and users, their vectors and pictures."""
        ...

    def tag(self, collection_id: str, tags: Mapping[str, str], limit: int = 200) -> None:
        """Add tags, replacing those of the same keys. Raises `TooManyTags`, changing nothing, beyond `limit`."""
        ...

    def untag(self, collection_id: str, keys: Sequence[str]) -> None:
        """Remove the tags with these keys; keys that are not there are ignored."""
        ...

    def calibrate(self, collection_id: str, calibration: Calibration) -> None:
        """Replace the calibration."""
        ...


class Faces(Protocol):
    """The faces of a collection."""

    def add(self, collection_id: str, model: EmbeddingModel, faces: Sequence[NewFace]) -> tuple[StoredFace, ...]:
        """Store faces, all or none of them; what comes back is in the same order.

        A face with the same `image_id`, `external_image_id` and box as one that is there is not stored twice: the one
        that is there comes back (as IndexFaces documents it), whoever adds it, also at the same time.

        Raises `ModelMismatch` where `model` is not the collection's, `InvalidOption` for a vector that is not finite or
        not of its length, and for a missing picture where the collection keeps pictures.
        """
        ...

    def get(self, collection_id: str, face_id: str) -> StoredFace:
        """Raises `FaceMissing`."""
        ...

    def embedding(self, collection_id: str, face_id: str) -> Embedding:
        """The face's vector, to search with. Raises `FaceMissing`."""
        ...

    def list(
        self,
        collection_id: str,
        limit: int,
        page: str | None = None,
        *,
        user_id: str | None = None,
        face_ids: Sequence[str] | None = None,
    ) -> Page[StoredFace]:
        """Faces, oldest first: all, or those associated with a user, or those with these ids (unknown ids are left
        out), or both. Raises `InvalidPage`, and `UserMissing` for a user who is not there."""
        ...

    def delete(self, collection_id: str, face_ids: Sequence[str]) -> Outcome:
        """Remove faces, their vectors and pictures. Refused: FACE_NOT_FOUND, ASSOCIATED_TO_AN_EXISTING_USER."""
        ...

    def search(
        self,
        collection_id: str,
        embedding: Embedding,
        limit: int,
        *,
        within: float = math.inf,
        besides: str | None = None,
    ) -> tuple[FaceMatch, ...]:
        """At most `limit` faces at a distance of `within` or less, nearest first; never the face with the id
        `besides`. Raises `ModelMismatch` where the embedding is of another model than the collection's."""
        ...


class Users(Protocol):
    """The users of a collection.

    A user's vector is the mean of the vectors of the k faces associated with them. Such a mean lies nearer to all other
    faces than one face does, in square by `spread * (1 - 1/k)`, which is added again, so that a distance to a user
    means what a distance between faces means (`docs/collections.md` has the measurement).

    `token` is a ClientRequestToken: a repeated request with the same token and arguments does nothing again and gets
    the first one's answer for a day; with other arguments it raises `RequestReused`.
    """

    def create(self, collection_id: str, user_id: str, *, token: str | None = None) -> User:
        """A new user without faces. Raises `UserExists`."""
        ...

    def get(self, collection_id: str, user_id: str) -> User:
        """Raises `UserMissing`."""
        ...

    def embedding(self, collection_id: str, user_id: str) -> Embedding | None:
        """The user's vector, to search with; None while no face is associated. Raises `UserMissing`."""
        ...

    def list(self, collection_id: str, limit: int, page: str | None = None) -> Page[User]:
        """Users, oldest first. Raises `InvalidPage`."""
        ...

    def delete(self, collection_id: str, user_id: str, *, token: str | None = None) -> None:
        """Remove a user and their vector; their faces stay, associated with nobody. Raises `UserMissing`."""
        ...

    def associate(
        self,
        collection_id: str,
        user_id: str,
        face_ids: Sequence[str],
        *,
        within: float = math.inf,
        token: str | None = None,
    ) -> Outcome:
        """Associate faces with a user. Where the user had faces before, each must lie within `within` of the user's
        vector as it was before.

        Faces associated with this user already are neither done nor refused. Refused: FACE_NOT_FOUND,
        ASSOCIATED_TO_A_DIFFERENT_USER, LOW_MATCH_CONFIDENCE, USER_IS_FULL. Raises `UserMissing`, and `UserFull` where
        the user had `USER_FACES` faces before.
        """
        ...

    def disassociate(
        self, collection_id: str, user_id: str, face_ids: Sequence[str], *, token: str | None = None
    ) -> Outcome:
        """Undo `associate`. Faces associated with nobody are neither done nor refused. Refused: FACE_NOT_FOUND,
        ASSOCIATED_TO_A_DIFFERENT_USER. Raises `UserMissing`."""
        ...

    def search(
        self,
        collection_id: str,
        embedding: Embedding,
        limit: int,
        *,
        within: float = math.inf,
        besides: str | None = None,
    ) -> tuple[UserMatch, ...]:
        """As `Faces.search`, over the vectors of users; users without faces are never found."""
        ...


class Pictures(Protocol):
    """The pictures of a collection that keeps them, for `migrate` alone."""

    def each(self, collection_id: str, after: str | None = None) -> Iterator[tuple[str, bytes | None]]:
        """Face ids, oldest first, from behind the face `after`, each with its picture or None."""
        ...

    def reembed(
        self, collection_id: str, model: EmbeddingModel, calibration: Calibration, vectors: Mapping[str, Vector]
    ) -> bool:
        """Make `model` the collection's, with these vectors by face id, at once; users' vectors follow. False, and
        nothing changed, where `vectors` and the faces that are there are not the same set."""
        ...


class Store(Protocol):
    """One place where collections live. Made by `sightline.collections.open.open_store`."""

    @property
    def collections(self) -> Collections: ...

    @property
    def faces(self) -> Faces: ...

    @property
    def users(self) -> Users: ...

    @property
    def pictures(self) -> Pictures: ...

    def close(self) -> None:
        """Give back files and connections; the store is not used afterwards."""
        ...
