"""Errors as HTTP: a fitting status, a stable code, one line, the request's id; never a traceback."""

from __future__ import annotations

from sightline.errors import SightlineError

STATUS = {
    "internal_error": 500,
    "invalid_request": 400,
    "invalid_image": 400,
    "unsupported_format": 415,
    "image_too_large": 413,
    "invalid_option": 400,
    "missing_input": 400,
    "no_face": 422,
    "fetch_refused": 403,
    "unauthorized": 401,
    "invalid_page": 400,
    "model_mismatch": 409,
    "conflict": 409,
    "collection_exists": 409,
    "user_exists": 409,
    "user_full": 409,
    "too_many_tags": 409,
    "request_reused": 409,
    "collection_missing": 404,
    "face_missing": 404,
    "user_missing": 404,
    "store_unavailable": 503,
    "not_found": 404,
    "unknown_task": 404,
    "unknown_model": 404,
    "method_not_allowed": 405,
    "not_acceptable": 406,
    "unsupported_media_type": 415,
    "answer_too_large": 413,
    "unavailable": 503,
    "model_missing": 503,
    "offline": 503,
    "source_failed": 502,
    "busy": 503,
    "rate_limited": 429,
    "deadline_exceeded": 504,
    "cancelled": 499,
    "upload_too_slow": 408,
    "insufficient_memory": 507,
    "model_error": 500,
    "invalid_card": 500,
    "checksum_mismatch": 500,
    "engine_error": 500,
    "provider_missing": 500,
}


class Unauthorized(SightlineError):
    code = "unauthorized"


class UnsupportedMediaType(SightlineError):
    code = "unsupported_media_type"


class InsufficientMemory(SightlineError):
    code = "insufficient_memory"


class NotAcceptable(SightlineError):
    code = "not_acceptable"


class MethodNotAllowed(SightlineError):
    code = "method_not_allowed"


class AnswerTooLarge(SightlineError):
    """The answer has more bytes than what carries it lets through; a smaller picture has a smaller one."""

    code = "answer_too_large"


def body(code: str, message: str, request_id: str) -> dict[str, dict[str, str]]:
    """The JSON of an error."""
    return {"error": {"code": code, "message": message, "request_id": request_id}}
