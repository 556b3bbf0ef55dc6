"""Every error that Sightline raises on purpose.

    SightlineError
    ├── InvalidRequest              the caller can repair it
    │   ├── InvalidImage            the bytes are not a picture that can be decoded
    │   │   ├── UnsupportedFormat   a picture or file outside the allowed formats
    │   │   └── ImageTooLarge       more bytes or pixels than the budget
    │   ├── InvalidOption           an option is unknown, missing or out of range
    │   ├── MissingInput            a picture the task needs was not given
    │   ├── NoFace                  the question needs a face and the picture has none
    │   ├── FetchRefused            an address that may not be fetched
    │   ├── InvalidPage             a token of a next page that was never given
    │   ├── ModelMismatch           vectors of another model than the collection's
    │   └── Conflict                it does not go with what is there
    │       ├── CollectionExists
    │       ├── UserExists
    │       ├── UserFull            no more faces can be associated with this user
    │       ├── TooManyTags
    │       └── RequestReused       a request's token came again with other arguments
    ├── NotFound
    │   ├── UnknownTask
    │   ├── UnknownModel
    │   ├── CollectionMissing
    │   ├── FaceMissing             no such face in the collection
    │   └── UserMissing
    ├── Throttled                   this caller asked more often than it may
    ├── TimedOut                    the answer would have come after the request's deadline
    │   └── Cancelled               nobody waits for the answer any more
    ├── Unavailable                 right now; the same request may work later or elsewhere
    │   ├── ModelMissing            weights are not on this machine
    │   ├── Offline                 the network would be needed and is forbidden
    │   ├── SourceFailed            a registry, a bucket or a picture provider did not answer
    │   ├── StoreUnavailable        the database of the collections does not answer
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


class InvalidPage(InvalidRequest):
    code = "invalid_page"


class ModelMismatch(InvalidRequest):
    code = "model_mismatch"


class Conflict(InvalidRequest):
    code = "conflict"


class CollectionExists(Conflict):
    code = "collection_exists"


class UserExists(Conflict):
    code = "user_exists"


class UserFull(Conflict):
    code = "user_full"


class TooManyTags(Conflict):
    code = "too_many_tags"


class RequestReused(Conflict):
    code = "request_reused"


class NotFound(SightlineError):
    code = "not_found"


class UnknownTask(NotFound):
    code = "unknown_task"


class UnknownModel(NotFound):
    code = "unknown_model"


class CollectionMissing(NotFound):
    code = "collection_missing"


class FaceMissing(NotFound):
    code = "face_missing"


class UserMissing(NotFound):
    code = "user_missing"


class Throttled(SightlineError):
    """`retry_after` is the number of seconds until the caller may ask again."""

    code = "rate_limited"

    def __init__(self, message: str, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class TimedOut(SightlineError):
    code = "deadline_exceeded"


class Cancelled(TimedOut):
    code = "cancelled"


class Unavailable(SightlineError):
    code = "unavailable"


class ModelMissing(Unavailable):
    code = "model_missing"


class Offline(Unavailable):
    code = "offline"


class SourceFailed(Unavailable):
    code = "source_failed"


class StoreUnavailable(Unavailable):
    code = "store_unavailable"


class Busy(Unavailable):
    """`retry_after` is the number of seconds after which there should be room again."""

    code = "busy"

    def __init__(self, message: str, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


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
