"""The OpenAPI description of the native protocol, made from each task's question and answer."""

from __future__ import annotations

from typing import Any

from sightline.serving.errors import STATUS, body
from sightline.tasks import schema
from sightline.tasks.base import Task
from sightline.tasks.question import BOOLEANS, OptionField, PictureField, question_fields

_ERROR = schema.members(
    error=schema.members(
        code={"type": "string", "enum": list(STATUS)}, message=schema.STRING, request_id=schema.STRING
    ),
)
TAGS = [
    {"name": "tasks", "description": "Ask a question about pictures."},
    {"name": "about", "description": "What this server serves, and how it does."},
    {"name": "classic", "description": "The routes of older systems, so that their clients need no change."},
]
_HEADERS: dict[str, Any] = {
    "X-Request-Id": {
        "description": "The request's own id, or the one it was given; the server's log has it.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
    },
    "Server-Timing": {
        "description": "Milliseconds of the stages of an answer, and of all until the reply begins (`total`).",
        "schema": {"type": "string"},
        "example": "queue;dur=0.09, decode;dur=7.9, infer;dur=58.2, encode;dur=0.16, total;dur=67.1",
    },
}
_REASONS = {
    400: "The request can be repaired: a damaged picture, a missing one, a wrong option.",
    401: "The API key is missing or wrong.",
    403: "The request asks this server to fetch what it may not.",
    404: "No such task.",
    406: "None of the media types of `Accept` can be given.",
    413: "The picture or the request is too large.",
    415: "Not a supported picture format or request media type.",
    422: "The picture has no face, and the question needs one.",
    500: "The installation is wrong.",
    502: "A place that a picture should come from did not answer.",
    503: "The task is not served here, is not ready yet, or too many questions wait.",
}
_PICTURE = {
    "description": "A picture: its bytes, or where to fetch them (refused unless the server runs with `--online`).",
    "oneOf": [
        schema.members(bytes={"type": "string", "contentEncoding": "base64"}),
        schema.members(url={"type": "string", "format": "uri"}),
        schema.members(s3=schema.members(bucket=schema.STRING, key=schema.STRING)),
    ],
}
# A picture of one grey pixel, so that "Try it out" of the JSON form sends something that decodes.
_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="


def errors(*statuses: int) -> dict[str, Any]:
    """The `responses` of these error statuses."""
    return {str(status): _error(status) for status in statuses}


def _error(status: int) -> dict[str, Any]:
    codes = [code for code in STATUS if STATUS[code] == status]
    examples = {code: {"value": body(code, "What is wrong, in one line.", "0123456789abcdef")} for code in codes}
    return {
        "description": _REASONS[status],
        "headers": _HEADERS,
        "content": {"application/json": {"schema": _ERROR, "examples": examples}},
    }


def answer(description: str, content: dict[str, Any]) -> dict[str, Any]:
    """The response of a good answer."""
    return {"description": description, "headers": _HEADERS, "content": content}


def option_members(option: OptionField) -> dict[str, Any]:
    """An option as `GET /v1/tasks` tells it."""
    return {
        "name": option.name,
        "type": option.json_type,
        "default": option.default,
        "choices": list(option.choices) if option.choices else None,
        "minimum": option.minimum,
        "maximum": option.maximum,
        "example": option.example,
        "help": option.help,
    }


def answer_schema(task: type[Task[Any, Any]]) -> schema.Schema:
    """The JSON of a task's answer: its own members and the common ones."""
    own = task.Answer.schema
    common = {
        "model": schema.maybe(schema.IDENTITY),
        "models": schema.each(schema.IDENTITY),
        "timings_ms": schema.TIMINGS,
    }
    properties = {**own["properties"], **common}
    return {"type": "object", "properties": properties, "required": list(properties)}


def operation(task: type[Task[Any, Any]]) -> dict[str, Any]:
    """The keyword arguments of the route that asks this task."""
    fields = question_fields(task.Question)
    required = [picture.name for picture in fields.pictures if picture.required]
    options = {option.name: _option(option) for option in fields.options}
    files = {p.name: {"type": "string", "format": "binary", "description": p.help} for p in fields.pictures}
    pictures = {p.name: _picture(p) for p in fields.pictures}
    typed = {name: _nullable(described) for name, described in options.items()}
    written = {option.name: _written(option) for option in fields.options}
    example: dict[str, Any] = {name: {"bytes": _PIXEL} for name in required}
    example |= {option.name: option.example for option in fields.options if option.example is not None}
    forms = {
        "multipart/form-data": {"schema": _object({**files, **written}, required)},
        "application/json": {"schema": _object({**pictures, **typed}, required), "example": example},
    }
    drawn = {"schema": {"type": "string", "format": "binary"}}
    answers = answer(
        "The answer; a drawn picture where `Accept` asks for one.",
        {"application/json": {"schema": answer_schema(task)}, "image/png": drawn, "image/jpeg": drawn},
    )
    return {
        "summary": task.summary,
        "tags": ["tasks"],
        "response_model": None,
        "openapi_extra": {
            "requestBody": {"required": True, "content": forms},
            "responses": {"200": answers, **errors(400, 401, 403, 404, 406, 413, 415, 422, 500, 502, 503)},
            "security": SECURITY,
        },
    }


def _object(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _picture(picture: PictureField) -> dict[str, Any]:
    said = {"title": picture.help}
    return {**_PICTURE, **said} if picture.required else {**schema.maybe(_PICTURE), **said}


def _nullable(option: dict[str, Any]) -> dict[str, Any]:
    """An option in JSON, where null says that it is not given."""
    choices = {"enum": [*option["enum"], None]} if "enum" in option else {}
    return {**option, "type": [option["type"], "null"], **choices}


def _written(option: OptionField) -> dict[str, Any]:
    """An option in a form, where everything is text: yes and no have more than one spelling."""
    if option.kind is not bool:
        return _option(option)
    return {
        "type": "string",
        "enum": list(BOOLEANS),
        "description": option.help,
        "default": str(option.default).lower(),
    }


def _option(option: OptionField) -> dict[str, Any]:
    described: dict[str, Any] = {"type": option.json_type, "description": option.help}
    if option.kind is str:
        described["maxLength"] = 1000
    if option.choices is not None:
        described["enum"] = list(option.choices)
    for key, value in (("minimum", option.minimum), ("maximum", option.maximum)):
        if value is not None:
            described[key] = value
    if option.default is not None:
        described["default"] = option.default
    if option.example is not None:
        described["example"] = option.example
    return described


SECURITY: list[dict[str, list[str]]] = [{}, {"key": []}, {"bearer": []}]
SCHEMES = {
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "bearer": {"type": "http", "scheme": "bearer"},
}


def described(summary: str, members: schema.Schema, *statuses: int, tag: str = "about") -> dict[str, Any]:
    """The keyword arguments of a route without a body that answers this JSON."""
    good = answer(summary, {"application/json": {"schema": members}})
    extra = {"responses": {"200": good, **errors(*statuses)}, "security": SECURITY if 401 in statuses else [{}]}
    return {"summary": summary, "tags": [tag], "response_model": None, "openapi_extra": extra}


TASKS = described("Every task, and how to ask it.", schema.members(tasks=schema.each({"type": "object"})), 401)
MODELS = described(
    "Every model: identity, licence, figures, and whether its weights are here.",
    schema.members(models=schema.each({"type": "object"})),
    401,
    503,
)
