"""`POST /`: one request of Rekognition's protocol, from the wire to an operation and back."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from sightline.collections.base import Store
from sightline.errors import SightlineError
from sightline.protocols.rekognition.backend import Backend, Call
from sightline.protocols.rekognition.callers import Claim, Doorkeeper
from sightline.protocols.rekognition.faults import Fault, fault_of, not_offered
from sightline.protocols.rekognition.keys import Key, load_keys
from sightline.protocols.rekognition.model import Operation, service_model
from sightline.protocols.rekognition.operations import HANDLERS, Handler
from sightline.protocols.rekognition.pictures import timed_reading
from sightline.protocols.rekognition.serialise import write_output
from sightline.protocols.rekognition.validate import Members, parse_body, parse_input
from sightline.serving.metrics import Metrics
from sightline.serving.record import note_error
from sightline.serving.runtime import Runtime
from sightline.serving.waiting import unless_gone
from sightline.settings import Settings
from sightline.tasks.base import Timings

log = logging.getLogger("sightline")


@dataclass(frozen=True, slots=True)
class _Done:
    """A finished operation: its reply, and how long it took."""

    content: bytes
    timings: Timings


class Rekognition:
    """Answers Rekognition's clients. Raises `InvalidOption` where the settings name keys that cannot be read, and
    `StoreUnavailable` where they name a store that cannot be opened."""

    def __init__(
        self, runtime: Runtime, metrics: Metrics, open_store: Callable[[Settings], Store] | None = None
    ) -> None:
        self._runtime, self._metrics = runtime, metrics
        self._doorkeeper = Doorkeeper(load_keys(runtime.settings), runtime.settings)
        opened = open_store or _open_store
        self._backend = Backend(runtime, lambda: opened(runtime.settings))
        if runtime.settings.collections is not None:
            self._backend.store  # noqa: B018  a store that was asked for and cannot be opened ends the start

    def router(self) -> APIRouter:
        """The one route; the store is closed when the application ends."""

        @asynccontextmanager
        async def lifespan(_: object) -> AsyncIterator[None]:
            yield
            await asyncio.to_thread(self._backend.close)

        router = APIRouter(lifespan=lifespan)
        router.add_api_route("/", self.answer, methods=["POST"], include_in_schema=False, response_model=None)
        return router

    async def answer(self, request: Request) -> Response:
        """Answer one request. Whatever happens, the reply is one that AWS's clients read."""
        target = request.headers.get("x-amz-target")
        if target is None and "x-amz-json" not in request.headers.get("content-type", ""):
            raise HTTPException(405, headers={"Allow": "GET"})  # not this protocol at all
        try:
            content = await self._answer(request, target or "")
            return self._reply(request, 200, content)
        except Fault as fault:
            note_error(fault.name)
            members = {"__type": fault.name, "message": str(fault)}
            return self._reply(request, fault.status, json.dumps(members).encode())

    async def _answer(self, request: Request, target: str) -> bytes:
        claim = self._doorkeeper.claim(request)
        operation = _operation(target)
        body = await request.body()
        arrived = time.perf_counter()
        name = f"rekognition.{operation.name}"
        try:
            work = self._runtime.run(lambda: self._work(claim, operation, body, arrived), request.state.ticket)
            done = await unless_gone(request, work)
        except Fault as fault:
            self._metrics.failed(name, fault.name)
            raise
        except SightlineError as error:
            told = fault_of(error, operation)
            self._metrics.failed(name, told.name)
            if told.name == "InternalServerError":
                log.warning("%s: %s [%s]", operation.name, error, error.code)
            raise told from None
        except ClientDisconnect:
            raise
        except Exception:
            log.exception("unexpected error in %s, request id %s", operation.name, request.state.request_id)
            self._metrics.failed(name, "InternalServerError")
            text = "an unexpected error; the server's log has it under this request id"
            raise Fault("InternalServerError", text) from None
        self._metrics.answered(name, done.timings)
        return done.content

    def _work(self, claim: Claim, operation: Operation, body: bytes, arrived: float) -> _Done:
        """In a worker: reading megabytes of base64 is work too."""
        begun = time.perf_counter()
        caller = claim.proven(body)
        handler = HANDLERS.get(operation.name)
        if handler is None:
            raise not_offered(f"{operation.name} is not implemented by Sightline; docs/rekognition.md lists what is")
        members = parse_input(operation, parse_body(body))
        call = Call(self._backend, caller)
        _authorise(caller.key, operation, handler, members)
        parsed = time.perf_counter()
        with timed_reading() as reading:
            output = handler.answer(call, members)
        answered = time.perf_counter()
        content = json.dumps(write_output(operation, output), separators=(",", ":")).encode()
        timings = Timings(
            decode=(parsed - begun + sum(reading)) * 1000,
            queue=(begun - arrived) * 1000,
            infer=(answered - parsed - sum(reading)) * 1000,
            total=(answered - arrived) * 1000,
            encode=(time.perf_counter() - answered) * 1000,
            arrived=arrived,
        )
        return _Done(content, timings)

    def _reply(self, request: Request, status: int, content: bytes) -> Response:
        media_type = f"application/x-amz-json-{service_model().json_version}"
        headers = {"x-amzn-RequestId": request.state.request_id}
        return Response(content, status, headers=headers, media_type=media_type)


def _operation(target: str) -> Operation:
    """The operation that `X-Amz-Target` names. Raises `Fault`."""
    model = service_model()
    prefix, _, name = target.partition(".")
    if prefix != model.target_prefix or name not in model.operations:
        raise Fault("UnknownOperationException", f"X-Amz-Target is {model.target_prefix}. and an operation's name")
    return model.operations[name]


def _authorise(key: Key, operation: Operation, handler: Handler, members: Members) -> None:
    """Raise `Fault` (AccessDeniedException) unless the key permits this."""
    action = f"User: {key.access_key_id} is not authorized to perform: rekognition:{operation.name}"
    if handler.writes and key.read_only:
        raise Fault("AccessDeniedException", f"{action}: the key may only read")
    collection = members.get("CollectionId")
    if collection is None and "ResourceArn" in members:
        collection = Call.collection_of(members["ResourceArn"])
    if collection is not None and not key.may_see(collection):
        raise Fault("AccessDeniedException", f"{action} on the collection {collection}")


def _open_store(settings: Settings) -> Store:
    from sightline.collections.open import open_store

    return open_store(settings.collections)
