"""Traces: spans as an exporter gets them, and as a collector of OTLP over HTTP does."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from starlette.datastructures import Headers

from sightline.errors import InvalidOption
from sightline.models.card import Identity
from sightline.serving.record import Record
from sightline.serving.tracing import OtelTracer, open_tracer
from sightline.settings import Settings
from sightline.tasks.base import Timings

pytest.importorskip("opentelemetry.sdk", reason="needs the extra otel")

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*ENDPOINTS, "OTEL_TRACES_EXPORTER", "OTEL_SDK_DISABLED", "OTEL_SERVICE_NAME"):
        monkeypatch.delenv(name, raising=False)


def record(status: int = 200) -> Record:
    made = Record("POST", request_id="mine", route="/v1/faces", status=status, seconds=0.06)
    timings = Timings(decode=4.0, queue=1.5, infer=40.0, total=45.5, encode=2.0, arrived=made.began + 0.005)
    made.answered("faces", timings, (Identity("blazeface-full", "0.10.21", "ab" * 32),))
    return made


def exported(made: Record, **headers: str) -> tuple[Any, dict[str, Any]]:
    """The span of a request, and its children by name."""
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    tracer = OtelTracer(SimpleSpanProcessor(exporter), exporter)
    trace_id = tracer.export(made, Headers(headers))
    spans = exporter.get_finished_spans()
    children = {span.name: span for span in spans if span.parent and span.name != "POST /v1/faces"}
    (root,) = (span for span in spans if span.name == "POST /v1/faces")
    assert trace_id == f"{root.context.trace_id:032x}"
    tracer.close()
    return root, children


def test_a_request_is_a_span_with_its_stages_below() -> None:
    root, stages = exported(record())
    assert list(stages) == ["queue", "decode", "infer", "encode"]
    assert root.parent is None
    assert root.kind.name == "SERVER"
    assert root.end_time - root.start_time == 60_000_000
    assert root.resource.attributes["service.name"] == "sightline"
    assert root.attributes["http.route"] == "/v1/faces"
    assert root.attributes["http.response.status_code"] == 200
    assert root.attributes["sightline.model"] == "blazeface-full 0.10.21"
    for stage in stages.values():
        assert stage.parent.span_id == root.context.span_id
        assert stage.context.trace_id == root.context.trace_id
    lengths = {name: (span.end_time - span.start_time) / 1e6 for name, span in stages.items()}
    assert lengths == pytest.approx({"queue": 1.5, "decode": 4.0, "infer": 40.0, "encode": 2.0})
    # End to end from the arrival, inside of the request.
    assert stages["queue"].start_time - root.start_time == pytest.approx(5e6, abs=1000)
    assert stages["decode"].start_time == pytest.approx(stages["queue"].end_time, abs=1000)
    assert stages["encode"].end_time <= root.end_time


def test_a_span_goes_below_its_callers() -> None:
    root, stages = exported(record(), traceparent=f"00-{TRACE}-{PARENT}-01")
    assert f"{root.context.trace_id:032x}" == TRACE
    assert f"{root.parent.span_id:016x}" == PARENT
    assert f"{stages['infer'].context.trace_id:032x}" == TRACE


@pytest.mark.parametrize("header", ["", "00-xyz", f"00-{'0' * 32}-{PARENT}-01", f"ff-{TRACE}-{PARENT}-01", "é" * 500])
def test_a_traceparent_that_is_none_begins_a_new_trace(header: str) -> None:
    root, _ = exported(record(), traceparent=header)
    assert root.parent is None
    assert root.context.trace_id


def test_a_caller_who_does_not_sample_is_heard() -> None:
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    tracer = OtelTracer(SimpleSpanProcessor(exporter), exporter)
    assert tracer.export(record(), Headers({"traceparent": f"00-{TRACE}-{PARENT}-00"})) == TRACE
    assert exporter.get_finished_spans() == ()


def test_a_server_error_is_one() -> None:
    made = record(500)
    made.code = "engine_error"
    root, _ = exported(made)
    assert root.status.status_code.name == "ERROR"
    assert root.attributes["error.type"] == "engine_error"
    refused, _ = exported(record(422))
    assert refused.status.status_code.name == "UNSET"


def test_probes_are_no_traces() -> None:
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    tracer = OtelTracer(SimpleSpanProcessor(exporter), exporter)
    assert tracer.export(Record("GET", route="/livez"), Headers()) is None
    assert exporter.get_finished_spans() == ()


def test_nothing_is_sent_unless_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert open_tracer(Settings()) is None
    monkeypatch.setenv(ENDPOINTS[0], "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    assert open_tracer(Settings()) is None


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace.export", None)
    with pytest.raises(InvalidOption, match=r"sightline\[otel\]"):
        open_tracer(Settings(otel_endpoint="http://127.0.0.1:9"))
    monkeypatch.setenv(ENDPOINTS[0], "http://127.0.0.1:9")
    assert open_tracer(Settings()) is None
    assert "sightline[otel]" in caplog.text


@pytest.fixture
def collector() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """A collector's address, and what was posted to it."""
    got: list[tuple[str, bytes]] = []

    class Sink(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Sink)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", got
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_collector_gets_what_is_left_at_the_end(collector: Any) -> None:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    url, got = collector
    tracer = open_tracer(Settings(otel_endpoint=f"{url}/"))
    assert tracer is not None
    tracer.export(record(), Headers())
    tracer.close()
    ((path, body),) = got
    assert path == "/v1/traces"
    (resource,) = ExportTraceServiceRequest.FromString(body).resource_spans
    names = [span.name for scope in resource.scope_spans for span in scope.spans]
    assert sorted(names) == sorted(["POST /v1/faces", "queue", "decode", "infer", "encode"])
    services = {pair.key: pair.value.string_value for pair in resource.resource.attributes}
    assert services["service.name"] == "sightline"


def test_the_environment_names_the_service(collector: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    url, got = collector
    monkeypatch.setenv(ENDPOINTS[0], url)
    monkeypatch.setenv("OTEL_SERVICE_NAME", "photos")
    tracer = open_tracer(Settings())
    assert tracer is not None
    tracer.export(record(), Headers())
    tracer.close()
    assert got[0][0] == "/v1/traces"
    assert b"photos" in got[0][1]


def test_a_collector_that_is_away_does_not_keep_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sightline.serving.tracing._LAST_WORDS", 0.2)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "100")
    tracer = open_tracer(Settings(otel_endpoint="http://127.0.0.1:9"))
    assert tracer is not None
    tracer.export(record(), Headers())
    begun = time.monotonic()
    tracer.close()
    assert time.monotonic() - begun < 50  # left alone, it goes on trying for a hundred seconds
