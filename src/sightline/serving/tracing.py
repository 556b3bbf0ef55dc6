"""Traces of requests by OpenTelemetry (the extra `otel`): a span a request, and below it one for each stage.

Nothing is sent anywhere unless a collector's address was given. Spans are made when a request is over, from the
times in its record, so that answering costs nothing more: a stage's duration is measured, and its place is where the
stages lie end to end from the question's arrival.
"""

from __future__ import annotations

import logging
import os
import threading
from typing import TYPE_CHECKING, Any

from starlette.datastructures import Headers

import sightline
from sightline.errors import InvalidOption
from sightline.serving.observer import Tracer
from sightline.serving.probes import PROBES
from sightline.serving.record import Record
from sightline.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.sdk.trace.export import SpanExporter

log = logging.getLogger("sightline")

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_LAST_WORDS = 3.0
"""Seconds that sending what is left may take when the server stops and the collector does not answer."""


def open_tracer(settings: Settings) -> Tracer | None:
    """Where traces go: to `settings.otel_endpoint` (the base address of a collector that takes OTLP over HTTP), or
    where OpenTelemetry's own variables say; None where neither is set.

    Raises `InvalidOption` where the setting asks for traces and the extra `otel` is not installed. The variables,
    which clusters set for everybody, only warn.
    """
    given = settings.otel_endpoint
    if given is None and not any(os.environ.get(name) for name in _ENDPOINTS):
        return None
    if os.environ.get("OTEL_TRACES_EXPORTER") == "none" or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        text = "traces need the extra: pip install 'sightline[otel]'"
        if given is not None:
            raise InvalidOption(f"otel_endpoint is set, and {text}") from None
        log.warning("no traces are sent: %s", text)
        return None
    exporter = OTLPSpanExporter(endpoint=given and f"{given.rstrip('/')}/v1/traces")
    return OtelTracer(BatchSpanProcessor(exporter), exporter)


class OtelTracer:
    """Hands finished requests to an OpenTelemetry span processor. Raises `ImportError` without the extra."""

    def __init__(self, processor: SpanProcessor, exporter: SpanExporter) -> None:
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win over these.
        ours = Resource.create({"service.name": "sightline", "service.version": sightline.__version__})
        self._provider = TracerProvider(resource=ours.merge(OTELResourceDetector().detect()), shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("sightline", sightline.__version__)
        self._propagator = TraceContextTextMapPropagator()
        self._exporter = exporter

    def export(self, record: Record, headers: Headers) -> str | None:
        """Hand over one request: a span of kind SERVER, a child of the caller's `traceparent` (W3C) if it sent one,
        with a child for each stage. The id of the trace, 32 hex digits; None for a probe, which is not told."""
        if record.route in PROBES:
            return None
        from opentelemetry.context import Context
        from opentelemetry.trace import SpanKind, Status, StatusCode, format_trace_id, set_span_in_context

        parent = self._propagator.extract(headers, context=Context())
        name = f"{record.method} {record.route}"
        begun = record.began_ns
        span = self._tracer.start_span(name, parent, SpanKind.SERVER, _attributes(record), start_time=begun)
        inside = set_span_in_context(span, Context())
        for stage in record.stages:
            began = begun + round((stage.began - record.began) * 1e9)
            child = self._tracer.start_span(stage.name, inside, start_time=began)
            child.end(began + round(stage.seconds * 1e9))
        if record.status >= 500:
            span.set_status(Status(StatusCode.ERROR))
        span.end(begun + round(record.seconds * 1e9))
        trace_id = span.get_span_context().trace_id
        return format_trace_id(trace_id) if trace_id else None

    def close(self) -> None:
        """Send what is left, for at most a few seconds; blocks."""
        # A collector that does not answer is tried again and again unless its exporter is told to stop.
        patience = threading.Timer(_LAST_WORDS, self._exporter.shutdown)
        patience.daemon = True
        patience.start()
        self._provider.shutdown()
        patience.cancel()


def _attributes(record: Record) -> dict[str, Any]:
    """OpenTelemetry's names for HTTP, and our own."""
    attributes = {
        "http.request.method": record.method,
        "http.route": record.route,
        "http.response.status_code": record.status,
        "http.request.body.size": record.bytes_in,
        "http.response.body.size": record.bytes_out,
        "error.type": record.code if record.status >= 500 else None,
        "sightline.request_id": record.request_id,
        "sightline.task": record.task,
        "sightline.code": record.code,
        "sightline.model": record.model and f"{record.model.name} {record.model.version}",
    }
    return {name: value for name, value in attributes.items() if value is not None}
