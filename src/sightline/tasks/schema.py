"""Small JSON schemas, put together where each answer is defined."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

NUMBER: Schema = {"type": "number"}
INTEGER: Schema = {"type": "integer"}
STRING: Schema = {"type": "string"}
BOOLEAN: Schema = {"type": "boolean"}
UNIT: Schema = {"type": "number", "minimum": 0, "maximum": 1}


def members(**properties: Schema) -> Schema:
    """An object with exactly these members, all required."""
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def each(schema: Schema) -> Schema:
    """A list of these."""
    return {"type": "array", "items": schema}


def maybe(schema: Schema) -> Schema:
    """This, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def keyed(schema: Schema) -> Schema:
    """An object of any names with these values."""
    return {"type": "object", "additionalProperties": schema}


BOX = members(x=NUMBER, y=NUMBER, width=NUMBER, height=NUMBER)
POINT = members(x=NUMBER, y=NUMBER)
FRAME = members(width=INTEGER, height=INTEGER)
IDENTITY = members(name=STRING, version=STRING, sha256={"type": "string", "pattern": "^[0-9a-f]{64}$"})
TIMINGS = members(decode=NUMBER, queue=NUMBER, infer=NUMBER, total=NUMBER)
MASK = members(png={"type": "string", "contentEncoding": "base64", "contentMediaType": "image/png"})
