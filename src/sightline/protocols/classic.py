"""The routes of the systems that Sightline replaces, so that their clients need no change."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sightline.errors import NotFound
from sightline.protocols import openapi
from sightline.protocols.access import check_key
from sightline.protocols.classic_names import FILE, THREE, add_result
from sightline.protocols.native import Native, wanted_type
from sightline.protocols.pictures import read_request
from sightline.protocols.reply import JSON, Render
from sightline.protocols.wire import Wire
from sightline.tasks import schema
from sightline.tasks.question import question_fields

_PNG = "image/png"


class Classic:
    """Older names for questions of the native protocol."""

    def __init__(self, native: Native) -> None:
        self.native = native

    def router(self) -> APIRouter:
        router = APIRouter()
        router.add_api_route("/face-sentiment", self.face_sentiment, methods=["POST"], **_upload("Faces and emotions."))
        router.add_api_route(
            "/face-bokeh/{query}",
            self.face_bokeh,
            methods=["POST"],
            **_upload("People before a new background.", _QUERY),
        )
        router.add_api_route("/predict", self.predict, methods=["POST"], **_PREDICT)
        router.add_api_route("/test", self.test, methods=["GET"], **_TEST)
        return router

    async def face_sentiment(self, request: Request) -> Response:
        """The picture with faces and emotions drawn, PNG."""
        check_key(request, self.native.runtime.settings.api_key)
        task = self.native.runtime.kind("emotion")
        return await self.native.respond(request, task, await read_request(request, FILE), Render(_PNG))

    async def face_bokeh(self, request: Request) -> Response:
        """The picture with a background found for the query, PNG."""
        check_key(request, self.native.runtime.settings.api_key)
        task = self.native.runtime.kind("background")
        wire = await read_request(request, FILE)
        options = {**wire.options, "query": request.path_params["query"]}
        return await self.native.respond(request, task, Wire(wire.pictures, options), Render(_PNG))

    async def predict(self, request: Request) -> Response:
        """The one task served; `similarity` wherever the three pictures carry their classic names."""
        check_key(request, self.native.runtime.settings.api_key)
        served = list(self.native.runtime.tasks)
        only = served[0] if len(served) == 1 else None
        if only not in (None, "similarity"):
            return await self.native.answer(request, only)
        if "similarity" not in served:
            raise NotFound("several tasks are served here: ask at /v1/{task}")
        task = self.native.runtime.kind("similarity")
        names = {picture.name: picture.name for picture in question_fields(task.Question).pictures} | THREE
        render = Render(wanted_type(request, task), add_result)
        return await self.native.respond(request, task, await read_request(request, names), render)

    async def test(self, request: Request) -> Response:
        """Whether the one task served is ready."""
        served = list(self.native.runtime.tasks)
        if len(served) != 1:
            raise NotFound("several tasks are served here: ask at /readyz")
        return JSONResponse({"message": "Ok", "task": served[0]})


def _upload(summary: str, *parameters: dict[str, Any]) -> dict[str, Any]:
    body = schema.members(file=_FILE)
    drawn = openapi.answer(summary, {_PNG: {"schema": _FILE}})
    return {
        "summary": summary,
        "tags": ["classic"],
        "response_model": None,
        "openapi_extra": {
            "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": body}}},
            "responses": {"200": drawn, **openapi.errors(400, 401, 403, 404, 413, 415, 500, 502, 503)},
            "security": openapi.SECURITY,
            **({"parameters": list(parameters)} if parameters else {}),
        },
    }


_FILE = {"type": "string", "format": "binary"}
_FILES: dict[str, Any] = dict.fromkeys(THREE, _FILE)
_QUERY = {
    "name": "query",
    "in": "path",
    "required": True,
    "description": "Search words for the new background.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 1000},
    "example": "sunset",
}
_PREDICT: dict[str, Any] = {
    "summary": "The one task served, or `similarity` by its classic names.",
    "tags": ["classic"],
    "response_model": None,
    "openapi_extra": {
        "requestBody": {
            "required": True,
            "content": {"multipart/form-data": {"schema": {"type": "object", "properties": _FILES}}},
        },
        "responses": {
            "200": openapi.answer("The answer.", {JSON: {"schema": {"type": "object"}}, _PNG: {"schema": _FILE}}),
            **openapi.errors(400, 401, 403, 404, 406, 413, 415, 422, 500, 502, 503),
        },
        "security": openapi.SECURITY,
    },
}
_TEST: dict[str, Any] = openapi.described(
    "Whether the one task served is ready.",
    schema.members(message=schema.STRING, task=schema.STRING),
    404,
    tag="classic",
)
