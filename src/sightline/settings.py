"""What a deployment may choose, read once from the environment.

Each field is `SIGHTLINE_<FIELD>` in upper case: `SIGHTLINE_OFFLINE=1`, `SIGHTLINE_CACHE=/models`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from sightline.errors import InvalidOption

_NOT_NEGATIVE = (
    "threads", "max_concurrency", "max_queue", "max_bytes", "fetch_timeout", "grace_seconds", "sessions",
    "batch_wait_ms", "max_model_memory", "timeout_seconds", "rate_limit", "header_seconds", "upload_seconds",
    "max_connections", "sagemaker_max_bytes", "sagemaker_max_memory",
)  # fmt: skip
_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off", ""}


def _default_cache() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("sightline")


def _default_models() -> Path:
    from platformdirs import user_data_path

    return user_data_path("sightline") / "models"


def _default_profile() -> Path:
    from platformdirs import user_data_path

    return user_data_path("sightline") / "profile.toml"


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one process. Immutable: a change is a new object (`dataclasses.replace`)."""

    cache: Path = field(default_factory=_default_cache)
    """Where pulled models are kept."""
    models: Path = field(default_factory=_default_models)
    """The user's own models, one folder each with a `card.toml`; looked at before the shipped ones, and where
    `sightline models import` puts them."""
    offline: bool = False
    """Never open a socket to fetch weights or backgrounds."""
    threads: int = 0
    """Threads one inference may use; 0 is every core."""
    providers: tuple[str, ...] = ("CPUExecutionProvider",)
    """ONNX Runtime execution providers, in order. One that is absent is an error, never skipped."""
    graph_level: str = "all"
    """ONNX Runtime graph optimisation: `off`, `basic`, `extended` or `all`."""
    max_bytes: int = 20 * 1024 * 1024
    """Largest encoded picture, in bytes."""
    max_pixels: int = 64_000_000
    """Largest decoded picture, in pixels (at most 178,000,000)."""
    online: bool = True
    """Whether a question may make this process fetch pictures: by URL, or from an online background provider.
    `sightline serve` turns it off unless told otherwise. `offline` wins over it."""
    fetch_timeout: float = 10.0
    """Seconds one fetched picture may take in all."""
    gallery: Path | None = None
    """A folder of the user's own backgrounds; without it, the embedded gallery."""
    api_key: str | None = field(default=None, repr=False)
    """The key that the native HTTP API asks for; none leaves it open (loopback only)."""
    collections: str | None = field(default=None, repr=False)
    """Where known faces live: `sqlite:PATH` or `postgresql://...`; without it, a file in the user's data folder."""
    aws_access_key_id: str | None = None
    """The access key id that Rekognition's clients sign with; set together with the secret."""
    aws_secret_access_key: str | None = field(default=None, repr=False)
    """Its secret."""
    aws_keys_file: Path | None = None
    """A TOML file of several keys and what each may do (`docs/rekognition.md`)."""
    aws_anonymous: bool = False
    """Let Rekognition's clients in from anywhere without a key. Where no keys are set, this machine itself may."""
    s3_endpoint: str | None = None
    """Where Rekognition's `S3Object` is read: an http(s) address, or `aws` for Amazon's own. None: nowhere."""
    executor: str = ""
    """Where questions are answered: `threads` of the server, or `processes` of their own; empty: threads on up to
    four cores, processes on more."""
    max_concurrency: int = 0
    """Questions worked on at once, by a worker each; 0 is the number of cores."""
    sessions: int = 0
    """Batches one network may run at once; 0 is the number of cores."""
    batch_size: int = 8
    """Most items that one run of a network takes together."""
    batch_wait_ms: float = 0.0
    """Milliseconds that a network waits for more items while other questions are at work. Without a wait, what
    arrives while it runs makes up the next batch."""
    profile: Path = field(default_factory=_default_profile)
    """What `sightline bench --tune` found best on this machine; `sightline serve` follows it where no variable says
    otherwise."""
    max_model_memory: int = 0
    """Megabytes that models may take; of more, those used longest ago are unloaded until asked again. 0: no bound."""
    pinned: tuple[str, ...] = ()
    """Tasks that are never unloaded."""
    timeout_seconds: float = 60.0
    """Seconds a question may take, waiting included, where it brings no `X-Timeout-Ms`; 0: for ever."""
    rate_limit: float = 0.0
    """Questions a second that one caller (key, or address) may ask on average; 0: no limit."""
    rate_burst: int = 10
    """Questions that a caller may ask at once under the rate limit."""
    header_seconds: float = 10.0
    """Seconds a connection may take to send a request's headers."""
    upload_seconds: float = 60.0
    """Seconds a request's body may take to arrive."""
    max_connections: int = 0
    """Open connections; one more is closed at once. 0: what the operating system lets a process have."""
    max_queue: int = 64
    """Questions that may wait; one more is answered `busy`."""
    log_format: str = "text"
    """What a server's log is written as: `text`, or `json`, one object a line."""
    otel_endpoint: str | None = None
    """The base address of a collector that takes traces (OTLP over HTTP). None: where OpenTelemetry's own variables
    say, else nowhere."""
    grace_seconds: float = 20.0
    """Seconds that requests in flight may still take after a stop was asked for."""
    sagemaker_tasks: tuple[str, ...] = ()
    """The tasks that a container on SageMaker serves, or TASK=MODEL. Without them: those that the models in
    `/opt/ml/model` decide; without these, every task whose models are here."""
    sagemaker_max_bytes: int = 25 * 1024 * 1024
    """Largest body of an invocation: what SageMaker itself lets through."""
    sagemaker_max_memory: int = 0
    """Megabytes that a container of many models may take; 0 is all that it or the machine has."""

    def __post_init__(self) -> None:
        if self.graph_level not in ("off", "basic", "extended", "all"):
            raise InvalidOption(f"graph_level is {self.graph_level!r}; it is one of off, basic, extended, all")
        if self.log_format not in ("text", "json"):
            raise InvalidOption(f"log_format is {self.log_format!r}; it is text or json")
        if self.otel_endpoint is not None and not self.otel_endpoint.startswith(("http://", "https://")):
            raise InvalidOption("otel_endpoint is an http or https address")
        if not 1 <= self.max_pixels <= 178_000_000:
            raise InvalidOption("max_pixels must lie between 1 and 178,000,000")
        for name in _NOT_NEGATIVE:
            # Written so that NaN fails too.
            if not 0 <= getattr(self, name) < float("inf"):
                raise InvalidOption(f"{name} must be a number that is not negative")
        if self.executor not in ("", "threads", "processes"):
            raise InvalidOption(f"executor is {self.executor!r}; it is threads or processes")
        if self.batch_size < 1 or self.rate_burst < 1:
            raise InvalidOption("batch_size and rate_burst are at least 1")
        if (self.aws_access_key_id is None) != (self.aws_secret_access_key is None):
            raise InvalidOption("aws_access_key_id and aws_secret_access_key are set together")
        if self.aws_anonymous and (self.aws_access_key_id or self.aws_keys_file):
            raise InvalidOption("aws_anonymous lets everybody in without a key; take away the AWS keys, or it")
        if self.s3_endpoint not in (None, "aws") and not str(self.s3_endpoint).startswith(("http://", "https://")):
            raise InvalidOption("s3_endpoint is an http or https address, or aws")
        if not self.providers:
            raise InvalidOption("providers must name at least one execution provider")

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Settings from `SIGHTLINE_*` variables; an unreadable value raises `InvalidOption`."""
        environ = os.environ if environ is None else environ
        chosen: dict[str, Any] = {}
        for item in fields(cls):
            text = environ.get(f"SIGHTLINE_{item.name.upper()}")
            if text:  # an empty variable counts as none, as shells treat it
                chosen[item.name] = _parse(item.name, str(item.type), text)
        return cls(**chosen)


def _parse(name: str, kind: str, text: str) -> Any:
    try:
        if kind == "bool":
            if text.strip().lower() not in _TRUE | _FALSE:
                raise ValueError
            return text.strip().lower() in _TRUE
        if kind == "int":
            return int(text)
        if kind == "float":
            return float(text)
    except ValueError:
        raise InvalidOption(f"SIGHTLINE_{name.upper()} is {text!r}, which is not a {kind}") from None
    if kind.startswith("Path"):
        return Path(text).expanduser()
    if kind.startswith("tuple"):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return text
