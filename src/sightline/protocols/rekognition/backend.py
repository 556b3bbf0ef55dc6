"""What an operation is handed: the tasks, the store, the pictures, and who calls."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from sightline.collections.base import Collection, Store
from sightline.protocols.rekognition.callers import Caller
from sightline.protocols.rekognition.faces import FaceReader
from sightline.protocols.rekognition.faults import Fault, invalid
from sightline.protocols.rekognition.pictures import PictureReader
from sightline.serving.runtime import Runtime

ACCOUNT = "000000000000"
"""The account of every name: a server has one."""


class Backend:
    """What all operations of one server share. Safe to share between threads."""

    def __init__(self, runtime: Runtime, open_store: Callable[[], Store]) -> None:
        self.runtime = runtime
        self.faces = FaceReader(runtime)
        self.pictures = PictureReader(runtime.settings)
        self._open_store = open_store
        self._lock = threading.Lock()
        self._store: Store | None = None

    @property
    def store(self) -> Store:
        """The store of collections, opened when it is first asked for. Raises `StoreUnavailable`."""
        with self._lock:
            if self._store is None:
                self._store = self._open_store()
            return self._store

    def close(self) -> None:
        """Close the store, if it was opened."""
        with self._lock:
            if self._store is not None:
                self._store.close()
            self._store = None


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an operation."""

    backend: Backend
    caller: Caller

    def collection(self, collection_id: str) -> Collection:
        """The collection, whose faces this server's model can be compared with. Raises `CollectionMissing`, and
        `Fault` where another model made them."""
        collection = self.backend.store.collections.get(collection_id)
        model = self.backend.faces.model
        if collection.model != model:
            raise invalid(
                f"the faces of {collection_id} are of {collection.model.name} {collection.model.version}, which "
                f"{model.name} {model.version} cannot compare with: `sightline collections migrate`"
            )
        return collection

    def arn(self, collection_id: str) -> str:
        """The collection's name among all resources, in the region that the caller signed for."""
        return f"arn:aws:rekognition:{self.caller.region}:{ACCOUNT}:collection/{collection_id}"

    @staticmethod
    def collection_of(arn: str) -> str:
        """The collection that an ARN names, whatever its region. Raises `Fault`."""
        head, _, resource = arn.rpartition(":")
        kind, _, name = resource.partition("/")
        parts = head.split(":")
        if len(parts) != 5 or parts[0] != "arn" or parts[2] != "rekognition" or not name:
            raise invalid(f"{arn[:100]} is not the ARN of a collection")
        if parts[4] != ACCOUNT or kind != "collection":
            raise Fault("ResourceNotFoundException", f"{arn[:100]} is not a collection of this server")
        return name
