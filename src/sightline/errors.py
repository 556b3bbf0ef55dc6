"""Every error that Sightline raises on purpose.

    SightlineError
    ├── InvalidRequest              the caller can repair it
    │   ├── InvalidImage            the bytes are not a picture that can be decoded
    │   │   ├── UnsupportedFormat   a picture or file outside the allowed formats
    │   │   └── ImageTooLarge       more bytes or pixels than the budget
    │   ├── InvalidOption           an option is unknown, missing or out of range
    │   ├── MissingInput            a picture the task needs was not given
    │   ├── NoFace                  the question needs a face and the picture has none
    │   └── FetchRefused            an address that may not be fetched
    ├── NotFound
    │   ├── UnknownTask
    │   └── UnknownModel
    ├── Unavailable                 right now; the same request may work later or elsewhere
    │   ├── ModelMissing            weights are not on this machine
    │   ├── Offline                 the network would be needed and is forbidden
    │   ├── SourceFailed            a registry, a bucket or a picture provider did not answer
    │   └── Busy                    more work is waiting than the limits allow
    └── ModelError                  the installation is wrong
        ├── InvalidCard
        ├── ChecksumMismatch
        └── EngineError
            └── ProviderMissing

`code` is stable: programs may branch on it. `str(error)` is one line for a person.
"""


class SightlineError(Exception):
    """Base of all errors raised on purpose; `code` is stable across versions."""

    code = "internal_error"


class InvalidRequest(SightlineError):
    code = "invalid_request"


class InvalidImage(InvalidRequest):
    code = "invalid_image"


class UnsupportedFormat(InvalidImage):
    code = "unsupported_format"


class ImageTooLarge(InvalidImage):
    code = "image_too_large"


class InvalidOption(InvalidRequest):
    code = "invalid_option"


class MissingInput(InvalidRequest):
    code = "missing_input"


class NoFace(InvalidRequest):
    code = "no_face"


class FetchRefused(InvalidRequest):
    code = "fetch_refused"


class NotFound(SightlineError):
    code = "not_found"


class UnknownTask(NotFound):
    code = "unknown_task"


class UnknownModel(NotFound):
    code = "unknown_model"


class Unavailable(SightlineError):
    code = "unavailable"


class ModelMissing(Unavailable):
    code = "model_missing"


class Offline(Unavailable):
    code = "offline"


class SourceFailed(Unavailable):
    code = "source_failed"


class Busy(Unavailable):
    code = "busy"


class ModelError(SightlineError):
    code = "model_error"


class InvalidCard(ModelError):
    code = "invalid_card"


class ChecksumMismatch(ModelError):
    code = "checksum_mismatch"


class EngineError(ModelError):
    code = "engine_error"


class ProviderMissing(EngineError):
    code = "provider_missing"
