"""A running server, watched: its headers, its log, its metrics, its traces, and `sightline top` before it."""

from __future__ import annotations

import base64
import json
import re
import signal
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from sightline.console import top
from sightline.errors import Unavailable

KEY = "a-key-of-some-length-90c1"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
STAGES = ["queue", "decode", "infer", "encode", "total"]


@pytest.fixture(scope="module")
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """A collector of traces: its address, and what was posted to /v1/traces."""
    got: list[bytes] = []

    class Sink(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.path == "/v1/traces":
                got.append(body)
            self.send_response(200)
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


@pytest.fixture(scope="module")
def watched(start_server: Any, offline: dict[str, str], collector: Any) -> Any:
    """A server with a key that logs JSON and sends traces. Its models are those that are shipped."""
    return start_server(
        "faces",
        "--api-key",
        KEY,
        "--log-format",
        "json",
        OTEL_EXPORTER_OTLP_ENDPOINT=collector[0],
        SIGHTLINE_AWS_ACCESS_KEY_ID="watched",
        SIGHTLINE_AWS_SECRET_ACCESS_KEY="another-secret",
        **offline,
    )


@pytest.fixture(scope="module")
def asked(watched: Any, portrait_jpeg: Path) -> dict[str, httpx.Response]:
    """One request of each kind, by its id."""
    photo = portrait_jpeg.read_bytes()
    with httpx.Client(base_url=watched.url, timeout=60) as client:

        def ask(name: str, method: str, path: str, **rest: Any) -> httpx.Response:
            headers = {"X-Request-Id": name, "X-API-Key": KEY, **rest.pop("headers", {})}
            return client.request(method, path, headers=headers, **rest)

        parent = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
        target = {"X-Amz-Target": "RekognitionService.DetectFaces", "content-type": "application/x-amz-json-1.1"}
        body = json.dumps({"Image": {"Bytes": base64.b64encode(photo).decode()}})
        unsigned = {"X-Amz-Target": "RekognitionService.DetectFaces", "Authorization": "AWS4-HMAC-SHA256 nonsense"}
        files = {"image": ("a-secret-name.jpg", photo)}
        return {
            "json": ask("json", "POST", "/v1/faces", files=files, headers=parent),
            "picture": ask("picture", "POST", "/v1/faces", files=files, headers={"Accept": "image/jpeg"}),
            "classic": ask("classic", "POST", "/predict?token=a-secret-query", files=files),
            "no-picture": ask("no-picture", "POST", "/v1/faces", files={"image": b"a-secret-text"}),
            "no-key": ask("no-key", "POST", "/v1/faces", files=files, headers={"X-API-Key": "a-secret-guess"}),
            "no-task": ask("no-task", "POST", "/v1/a-secret-path", files=files),
            "page": ask("page", "GET", "/"),
            "file": ask("file", "GET", "/web/favicon.svg"),
            "ready": ask("ready", "GET", "/readyz"),
            "rekognition": ask("rekognition", "POST", "/", content=body, headers=target),
            "unsigned": ask("unsigned", "POST", "/", content=b"{}", headers=unsigned),
        }


def lines(server: Any) -> dict[str, dict[str, Any]]:
    """The log's lines of requests, by id."""
    found = (json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{"))
    return {members["id"]: members for members in found if "id" in members}


def test_every_reply_has_its_server_timing(asked: dict[str, httpx.Response]) -> None:
    named = {name: re.findall(r"(\w+);dur=[\d.]+", reply.headers["server-timing"]) for name, reply in asked.items()}
    for name in ("json", "picture", "classic"):
        assert asked[name].status_code == 200
        assert named.pop(name) == STAGES, name
    assert all(stages == ["total"] for stages in named.values()), named


def test_every_request_is_one_line_that_tells_no_secret(watched: Any, asked: dict[str, httpx.Response]) -> None:
    deadline = time.monotonic() + 20
    while asked.keys() - lines(watched).keys() and time.monotonic() < deadline:
        time.sleep(0.05)  # a line is written when its reply is out
    found = lines(watched)
    text = watched.log.read_text()
    for name, reply in asked.items():
        assert found[name]["status"] == reply.status_code
        assert found[name]["bytes_out"] == len(reply.content)
        assert text.count(f'"id":"{name}"') == 1
    assert found["json"]["task"] == "faces"
    assert found["json"]["model"].startswith("haar")
    assert list(found["json"]["stages_ms"]) == STAGES[:-1]
    assert found["json"]["trace_id"] == TRACE
    assert found["json"]["bytes_in"] > 1000
    codes = {name: members.get("code") for name, members in found.items()}
    assert codes["json"] == "ok"
    assert codes["no-picture"] == "unsupported_format"
    assert codes["no-key"] == "unauthorized"
    assert codes["no-task"] == "unknown_task"
    assert codes["page"] is None
    assert codes["unsigned"] == asked["unsigned"].json()["__type"]
    assert found["file"]["route"] == "/web"
    assert found["no-task"]["route"] == "unmatched"
    assert "secret" not in text
    assert KEY not in text


def test_the_metrics_of_a_server_that_wants_a_key(watched: Any, asked: dict[str, httpx.Response]) -> None:
    text = httpx.get(f"{watched.url}/metrics").text
    families = {family.name: family for family in text_string_to_metric_families(text)}
    page = (Path(__file__).parents[2] / "docs" / "monitoring.md").read_text()
    documented = re.findall(r"^\| `([a-z_]+)` \| (?:counter|gauge|histogram) \|", page, re.MULTILINE)
    assert {name.removesuffix("_total") for name in documented} == set(families)
    (info,) = families["sightline_model_info"].samples
    model = asked["json"].json()["model"]
    assert info.labels == {"task": "faces", **model}
    values = {sample.name: sample.value for family in families.values() for sample in family.samples}
    assert values["sightline_ready"] == 1
    assert values["sightline_models_resident"] == 1
    assert values["process_resident_memory_bytes"] > 1e7
    assert "secret" not in text


def test_every_panel_asks_for_a_metric_of_a_live_server(watched: Any, asked: dict[str, httpx.Response]) -> None:
    kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)$", httpx.get(f"{watched.url}/metrics").text, re.MULTILINE))
    there = {name for name, kind in kinds.items() if kind != "histogram"}
    there |= {
        f"{name}_{part}" for name, kind in kinds.items() if kind == "histogram" for part in ("bucket", "sum", "count")
    }
    dashboard = json.loads((Path(__file__).parents[2] / "deploy" / "grafana" / "dashboard.json").read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    queries += [variable["definition"] for variable in dashboard["templating"]["list"] if "definition" in variable]
    named = {name for query in queries for name in re.findall(r"\b(?:sightline|process)_\w+", query)}
    assert len(named) > 15
    assert named <= there


def test_top_looks_at_a_server_that_wants_a_key(watched: Any, asked: dict[str, httpx.Response], command: Any) -> None:
    frame = command("top", "--url", watched.url, "--once")
    assert frame.returncode == 0, frame.stderr
    for told in ("ready", "faces", "infer", "unsupported_format", "event loop late", "haar"):
        assert told in frame.stdout, told
    assert "\x1b" not in frame.stdout
    (line,) = command("top", "--url", watched.url, "--json").stdout.splitlines()
    figures = json.loads(line)
    (task,) = (task for task in figures["tasks"] if task["name"] == "faces")
    assert task["stages_ms"]["infer"]["p50"] > 0
    assert figures["ready"] is True


def test_top_of_what_is_no_server(command: Any, watched: Any, collector: Any) -> None:
    for url, told in (
        ("http://127.0.0.1:9", "no server answers"),
        (f"{watched.url}/web", "answers 404"),
        (collector[0], "answers 501"),
        ("http://", "no server answers"),
    ):
        with pytest.raises(Unavailable, match=told):
            top.Server(url).scrape()
    ended = command("top", "--url", collector[0])
    assert (ended.returncode, ended.stdout) == (1, "")
    assert re.fullmatch(r"sightline: .* answers 501 \[unavailable\]\n", ended.stderr)


def test_the_traces_have_arrived_when_the_server_has_stopped(
    start_server: Any, offline: dict[str, str], collector: Any, portrait_jpeg: Path
) -> None:
    """By the setting, and with what was not sent yet when SIGTERM came."""
    pytest.importorskip("opentelemetry.sdk", reason="needs the extra otel")
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    url, got = collector
    server = start_server("faces", SIGHTLINE_OTEL_ENDPOINT=url, **offline)
    files = {"image": ("photo.jpg", portrait_jpeg.read_bytes())}
    headers = {"X-Request-Id": "traced", "traceparent": f"00-{TRACE}-{PARENT}-01"}
    assert httpx.post(f"{server.url}/v1/faces", files=files, headers=headers, timeout=60).status_code == 200
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(30) == 0
    requests = (ExportTraceServiceRequest.FromString(body) for body in got)
    spans = [s for r in requests for one in r.resource_spans for scope in one.scope_spans for s in scope.spans]
    (root,) = (span for span in spans if any(pair.value.string_value == "traced" for pair in span.attributes))
    assert (root.name, root.trace_id.hex(), root.parent_span_id.hex()) == ("POST /v1/faces", TRACE, PARENT)
    below = {span.name: span for span in spans if span.parent_span_id == root.span_id}
    assert list(below) == STAGES[:-1]
    for span in below.values():
        assert root.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano
        assert span.end_time_unix_nano <= root.end_time_unix_nano
    assert "opentelemetry" not in server.log.read_text().lower()
