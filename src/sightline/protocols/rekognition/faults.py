"""Errors as Rekognition tells them: `{"__type": ..., "message": ...}` and a status.

What a client can catch by name is what the operation declares in the service model; a permanent error is never one
that clients try again (Throttling, or any status from 500).
"""

from __future__ import annotations

from sightline.errors import InvalidRequest, NotFound, SightlineError
from sightline.protocols.rekognition.model import Operation, service_model

# What every AWS service of this protocol may answer besides what an operation declares.
_COMMON = {
    "AccessDeniedException": 400,
    "IncompleteSignatureException": 400,
    "InvalidSignatureException": 400,
    "MissingAuthenticationTokenException": 400,
    "SerializationException": 400,
    "UnknownOperationException": 400,
    "UnrecognizedClientException": 400,
}

# Sightline's codes as Rekognition's errors.
_KNOWN = {
    "invalid_image": "InvalidImageFormatException",
    "unsupported_format": "InvalidImageFormatException",
    "image_too_large": "ImageTooLargeException",
    "invalid_page": "InvalidPaginationTokenException",
    "collection_exists": "ResourceAlreadyExistsException",
    "user_exists": "ConflictException",
    "user_full": "ServiceQuotaExceededException",
    "too_many_tags": "ServiceQuotaExceededException",
    "request_reused": "IdempotentParameterMismatchException",
    "collection_missing": "ResourceNotFoundException",
    "face_missing": "ResourceNotFoundException",
    "user_missing": "ResourceNotFoundException",
    # A model that is not on this machine will not be there at the next try.
    "model_missing": "AccessDeniedException",
    "offline": "AccessDeniedException",
    "busy": "ThrottlingException",
    "deadline_exceeded": "ThrottlingException",
    "cancelled": "ThrottlingException",
    "unavailable": "ThrottlingException",
    "store_unavailable": "InternalServerError",
}
_INTERNAL = "InternalServerError"
_INVALID = "InvalidParameterException"


class Fault(Exception):
    """An error on its way to the wire. `name` is its type there."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name

    @property
    def status(self) -> int:
        """The HTTP status."""
        return service_model().statuses.get(self.name) or _COMMON[self.name]


def invalid(message: str) -> Fault:
    """The input is wrong."""
    return Fault(_INVALID, message)


def not_offered(message: str) -> Fault:
    """This server does not do it, and will not at the next try either."""
    return Fault("AccessDeniedException", message)


def fault_of(error: SightlineError, operation: Operation) -> Fault:
    """The declared error of `operation` that says what `error` says."""
    permanent = _INVALID if isinstance(error, InvalidRequest | NotFound) else _INTERNAL
    name = _KNOWN.get(error.code, permanent)
    return Fault(name if name in operation.errors else permanent, str(error))
