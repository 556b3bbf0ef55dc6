"""The Open Inference Protocol over an application whose task answers a picture's size."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from sightline.architectures.base import Architecture
from sightline.engines.base import Tensor
from sightline.errors import EngineError
from sightline.images.picture import Picture
from sightline.protocols.app import create_app
from sightline.serving.runtime import Runtime
from sightline.settings import Settings
from sightline.tasks import schema
from sightline.tasks.base import Answer, Task
from sightline.tasks.question import asks
from tests.fakes.cards import card
from tests.fakes.engines import FakeEngine

KEY = "a-key-of-some-length"


@dataclass(frozen=True, slots=True)
class SizeQuestion:
    image: Picture = asks("A picture.")
    other: Picture | None = asks("Another.", default=None)
    times: int = asks("How many times.", default=1, minimum=1, maximum=9)
    unit: str = asks("Of what.", default="px", choices=("px", "mm"))
    upright: bool = asks("Which side.", default=False)


@dataclass(frozen=True, kw_only=True)
class SizeAnswer(Answer):
    schema: ClassVar[schema.Schema] = schema.members(size=schema.STRING)
    size: str

    def members(self) -> dict[str, Any]:
        return {"size": self.size}

    def draw(self, picture: Any) -> Image.Image:
        return Image.new("RGB", (3, 5))


class Size(Task[SizeQuestion, SizeAnswer]):
    name = "faces"
    summary = "How large?"
    Question = SizeQuestion
    Answer = SizeAnswer

    def answer(self, question: SizeQuestion) -> SizeAnswer:
        side = question.image.height if question.upright else question.image.width
        other = question.other.width if question.other else 0
        return SizeAnswer(size=f"{question.times * side}+{other} {question.unit}")


class Twice(Architecture):
    """Gives its input twice as large, and fails where that is 13."""

    def __init__(self) -> None:
        def compute(array: np.ndarray) -> np.ndarray:
            if (array == 13).any():
                raise EngineError("it broke")
            return array * np.float32(2)

        outputs = (Tensor("double", (None, 2), np.dtype(np.float32)),)
        super().__init__(card(name="twice", version="3"), FakeEngine(compute, (None, 2), outputs))


class Cascade(Architecture):
    def __init__(self) -> None:
        super().__init__(card(name="cascade", engine="cascade"), FakeEngine(lambda array: array))


class Both:
    """One model of two, as face finders are."""

    def __init__(self) -> None:
        self.first, self.second = Twice(), Cascade()
        self.cards = (*self.first.cards, *self.second.cards)

    def warm(self) -> None:
        pass


def serving(**chosen: Any) -> Runtime:
    made = Runtime(Settings(**{"max_concurrency": 2, "executor": "threads", **chosen}))
    made.open()
    made.add("faces", Size((Both(),), made.settings))
    return made


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    made = serving()
    yield made
    made.stop()


@pytest.fixture
def client(runtime: Runtime) -> TestClient:
    return TestClient(create_app(runtime))


def png(width: int, height: int = 4) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height)).save(file, "PNG")
    return file.getvalue()


def pictures(*contents: bytes, name: str = "image") -> dict[str, Any]:
    data = [base64.b64encode(content).decode() for content in contents]
    return {"name": name, "datatype": "BYTES", "shape": [len(contents)], "data": data}


def number(name: str, datatype: str, *data: Any) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": [len(data)], "data": list(data)}


def infer(client: TestClient, *inputs: dict[str, Any], model: str = "faces", **members: Any) -> Any:
    return client.post(f"/v2/models/{model}/infer", json={"inputs": list(inputs), **members})


def sizes(reply: Any) -> list[str]:
    assert reply.status_code == 200, reply.text
    (output,) = reply.json()["outputs"]
    assert (output["name"], output["datatype"]) == ("answer", "BYTES")
    return [json.loads(text)["size"] for text in output["data"]]


def refusal(reply: Any, status: int) -> str:
    assert (reply.status_code, set(reply.json())) == (status, {"error"}), reply.text
    text = reply.json()["error"]
    assert isinstance(text, str)
    assert len(text.splitlines()) == 1
    return text


def test_health(client: TestClient) -> None:
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    assert client.get("/v2/models/faces/ready").json() == {"name": "faces", "ready": True}
    assert client.get("/v2").json()["extensions"] == ["binary_tensor_data"]


def test_what_is_not_ready_is_503() -> None:
    client = TestClient(create_app(Runtime(Settings(max_concurrency=1))))
    assert client.get("/v2/health/live").status_code == 200
    for path in ("/v2/health/ready", "/v2/models/faces/ready", "/v2/models/emotion-small"):
        assert "loaded" in refusal(client.get(path), 503)
    late = client.post("/v2/models/faces/infer", json={"inputs": []})
    assert (refusal(late, 503) != "", late.headers["retry-after"]) == (True, "1")


def test_the_metadata_of_a_task(client: TestClient) -> None:
    told = client.get("/v2/models/faces").json()
    assert (told["name"], told["versions"], told["platform"]) == ("faces", ["3"], "sightline_task")
    assert told["inputs"] == [
        {"name": "image", "datatype": "BYTES", "shape": [-1]},
        {"name": "other", "datatype": "BYTES", "shape": [-1], "optional": True},
        {"name": "times", "datatype": "INT64", "shape": [-1], "optional": True},
        {"name": "unit", "datatype": "BYTES", "shape": [-1], "optional": True},
        {"name": "upright", "datatype": "BOOL", "shape": [-1], "optional": True},
    ]
    assert [output["name"] for output in told["outputs"]] == ["answer", "picture"]
    assert client.get("/v2/models/faces/versions/3").json() == told
    refusal(client.get("/v2/models/faces/versions/4"), 404)


def test_the_metadata_of_a_model_is_its_engines(client: TestClient) -> None:
    told = client.get("/v2/models/twice").json()
    assert told["inputs"] == [{"name": "input", "datatype": "FP32", "shape": [-1, 2]}]
    assert told["outputs"] == [{"name": "double", "datatype": "FP32", "shape": [-1, 2]}]
    assert (told["versions"], told["platform"]) == (["3"], "onnxruntime_onnx")
    refusal(client.get("/v2/models/cascade"), 404)  # no network: left out
    listed = client.post("/v2/repository/index").json()
    assert [(model["name"], model["state"]) for model in listed] == [("faces", "READY"), ("twice", "READY")]


def test_a_question_waits_for_its_task_only(runtime: Runtime, client: TestClient) -> None:
    """Not for a worker that looks the model up, and no other task is loaded for it."""
    looked_up: list[str] = []

    class Watched(Mapping[str, Any]):
        def __getitem__(self, name: str) -> Any:
            looked_up.append(name)
            return tasks[name]

        def __iter__(self) -> Iterator[str]:
            return iter(tasks)

        def __len__(self) -> int:
            return len(tasks)

    other = Size((), runtime.settings)
    other.models = (Cascade(),)
    runtime.add("emotion", other)
    tasks, runtime.tasks = runtime.tasks, Watched()  # type: ignore[assignment]
    assert sizes(infer(client, pictures(png(5)))) == ["5+0 px"]
    assert client.get("/v2/models/faces").status_code == 200
    assert looked_up == []
    assert client.get("/v2/models/twice").status_code == 200
    assert looked_up == ["faces"]


def test_pictures_are_answered_in_their_order(client: TestClient) -> None:
    given = [png(width) for width in (5, 3, 9, 1, 7, 2, 8, 6, 4, 10)]
    assert sizes(infer(client, pictures(*given))) == [f"{width}+0 px" for width in (5, 3, 9, 1, 7, 2, 8, 6, 4, 10)]


def test_the_shape_of_the_pictures_is_the_answers(client: TestClient) -> None:
    reply = infer(client, {**pictures(png(1), png(2)), "shape": [2, 1]}).json()
    assert reply["outputs"][0]["shape"] == [2, 1]


def test_options(client: TestClient) -> None:
    both = pictures(png(5), png(3))
    assert sizes(infer(client, both, parameters={"times": 2, "unit": "mm"})) == ["10+0 mm", "6+0 mm"]
    assert sizes(infer(client, both, number("times", "INT64", 2, 3))) == ["10+0 px", "9+0 px"]
    assert sizes(infer(client, both, number("times", "UINT8", 2), number("unit", "BYTES", "mm"))) == [
        "10+0 mm",
        "6+0 mm",
    ]
    assert sizes(infer(client, both, number("upright", "BOOL", True, False))) == ["4+0 px", "3+0 px"]
    assert sizes(infer(client, both, pictures(png(7), png(8), name="other"))) == ["5+7 px", "3+8 px"]


def test_an_id_comes_back(client: TestClient) -> None:
    assert infer(client, pictures(png(1)), id="mine").json()["id"] == "mine"
    assert "id" not in infer(client, pictures(png(1))).json()


def test_a_picture_is_drawn_where_asked_for(client: TestClient) -> None:
    reply = infer(client, pictures(png(1)), outputs=[{"name": "picture"}]).json()
    (output,) = reply["outputs"]
    assert output["parameters"] == {"content_type": "base64"}
    assert Image.open(io.BytesIO(base64.b64decode(output["data"][0]))).size == (3, 5)


@pytest.mark.parametrize(
    ("inputs", "members", "said"),
    [
        ([], {}, "'image'"),
        ([number("image", "FP32", 1.0)], {}, "BYTES"),
        ([number("image", "BYTES", "no base64!")], {}, "base64"),
        ([pictures(b"text")], {}, ""),
        ([pictures(png(1)), number("size", "FP32", 1.0)], {}, "'size'"),
        ([pictures(png(1)), number("times", "INT64", 10)], {}, "times"),
        ([pictures(png(1)), number("times", "INT64", 1, 2)], {}, "times"),
        ([pictures(png(1)), number("times", "INT64", 1)], {"parameters": {"times": 2}}, "twice"),
        ([pictures(png(1)), pictures(png(1), png(1), name="other")], {}, "equal numbers"),
        ([pictures(png(1)), pictures(png(1))], {}, "twice"),
        ([pictures(png(1))], {"parameters": {"typo": 2}}, "'typo'"),
        ([pictures(png(1))], {"parameters": {"sequence_id": 2}}, "sequences"),
        ([pictures(png(1))], {"parameters": {"timeout": "soon"}}, "timeout"),
        ([pictures(png(1))], {"outputs": [{"name": "boxes"}]}, "answer"),
        ([pictures(png(1))], {"outputs": [{"name": "answer", "parameters": {"classification": 2}}]}, "classification"),
        ([{**pictures(png(1)), "parameters": {"shared_memory_region": "a"}}], {}, "shared memory"),
    ],
)
def test_what_does_not_fit_is_said(client: TestClient, inputs: list[Any], members: dict[str, Any], said: str) -> None:
    reply = infer(client, *inputs, **members)
    assert said in refusal(reply, 415 if inputs == [pictures(b"text")] else 400)


def test_the_picture_that_fails_is_named(client: TestClient) -> None:
    cut = png(40, 40)[:-30]
    assert refusal(infer(client, pictures(png(1), cut, png(2))), 400).startswith("item 1: ")


def test_a_request_may_name_a_timeout(client: TestClient, runtime: Runtime) -> None:
    assert sizes(infer(client, pictures(png(1)), parameters={"timeout": 60_000_000, "priority": 3})) == ["1+0 px"]

    async def forever(*_: Any) -> Any:
        import asyncio

        await asyncio.sleep(60)

    runtime.ask = forever  # type: ignore[method-assign]
    assert "timeout" in refusal(infer(client, pictures(png(1)), parameters={"timeout": 1000}), 504)


def test_a_model_takes_its_engines_tensors(client: TestClient) -> None:
    given = {"name": "input", "datatype": "FP32", "shape": [3, 2], "data": [[1, 2], [3, 4], [5, 6.5]]}
    reply = infer(client, given, model="twice").json()
    assert (reply["model_name"], reply["model_version"]) == ("twice", "3")
    assert reply["outputs"] == [{"name": "double", "datatype": "FP32", "shape": [3, 2], "data": [2, 4, 6, 8, 10, 13]}]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "x"}, "'x'"),
        ({"datatype": "FP64"}, "float64"),
        ({"shape": [2]}, "shape"),
        ({"shape": [1, 2, 1]}, "shape"),
        ({"datatype": "BYTES", "data": ["a", "b"]}, "BYTES"),
        ({"shape": [65, 2], "data": [1.0] * 130}, "rows"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(client: TestClient, change: dict[str, Any], said: str) -> None:
    given = {"name": "input", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}
    assert said in refusal(infer(client, {**given, **change}, model="twice"), 400)


def test_a_model_that_fails_or_says_what_json_cannot(client: TestClient) -> None:
    given = {"name": "input", "datatype": "FP32", "shape": [1, 2], "data": [13, 2]}
    assert refusal(infer(client, given, model="twice"), 500) == "it broke"
    body = json.dumps({"inputs": [{**given, "data": None, "parameters": {"binary_data_size": 8}}]}).replace(
        '"data": null, ', ""
    )
    content = body.encode() + np.array([np.nan, 1], "<f4").tobytes()
    reply = client.post(
        "/v2/models/twice/infer", content=content, headers={"Inference-Header-Content-Length": str(len(body))}
    )
    assert "JSON" in refusal(reply, 400)
    assert "parameters" in refusal(infer(client, given, model="twice", parameters={"x": 1}), 400)


def test_what_is_not_offered_is_said_in_the_protocols_words(client: TestClient) -> None:
    refusal(client.get("/v2/models/nobody"), 404)
    refusal(client.get("/v2/systemsharedmemory/status"), 404)
    refusal(client.post("/v2/repository/models/faces/unload"), 404)
    refusal(client.post("/v2/models/faces/infer", content=b"x", headers={"Content-Encoding": "gzip"}), 415)
    refusal(client.post("/v2/models/faces/infer", content=b"no json"), 400)


def test_json_has_a_limit_of_its_own() -> None:
    runtime = serving(max_concurrency=1, max_bytes=30_000)
    client = TestClient(create_app(runtime))
    assert "binary" in refusal(infer(client, pictures(b"x" * 90_000)), 413)


def test_an_unexpected_error_tells_nothing(client: TestClient, runtime: Runtime) -> None:
    async def breaks(*_: Any) -> Any:
        raise RuntimeError("a detail")

    runtime.ask = breaks  # type: ignore[method-assign]
    assert "a detail" not in refusal(infer(client, pictures(png(1))), 500)


def test_the_key_guards_all_but_health() -> None:
    runtime = serving(max_concurrency=1, api_key=KEY)
    client = TestClient(create_app(runtime))
    assert client.get("/v2/health/live").status_code == client.get("/v2/health/ready").status_code == 200
    asked = [
        ("GET", "/v2"),
        ("GET", "/v2/models/faces"),
        ("GET", "/v2/models/faces/ready"),
        ("GET", "/v2/models/nobody"),
        ("POST", "/v2/models/faces/infer"),
        ("POST", "/v2/models/faces/versions/3/infer"),
        ("POST", "/v2/models/twice/infer"),
        ("POST", "/v2/repository/index"),
    ]
    for method, path in asked:
        for headers in ({}, {"X-API-Key": "wrong"}):
            reply = client.request(method, path, headers=headers)
            refusal(reply, 401)
            assert reply.headers["www-authenticate"] == "Bearer"
    assert client.get("/v2", headers={"Authorization": f"Bearer {KEY}"}).status_code == 200


def test_answers_are_counted(client: TestClient) -> None:
    infer(client, pictures(png(1), png(2)))
    infer(client, pictures(b"x"))
    infer(client, {"name": "input", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}, model="twice")
    text = client.get("/metrics").text
    assert 'sightline_answers_total{code="ok",task="faces"} 2.0' in text
    assert 'sightline_answers_total{code="ok",task="model.twice"} 1.0' in text
    assert 'code="unsupported_format",task="faces"' in text
