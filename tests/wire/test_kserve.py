"""The Open Inference Protocol asked by NVIDIA's own client, over a real server with real models."""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

from sightline.engines.registry import open_engine
from sightline.models.store import Store
from sightline.settings import Settings
from tests.wire.pages import examples, run

pytestmark = pytest.mark.models

KEY = "a-key-of-some-length-51c0"
Members = dict[str, Any]
SameAnswer = Callable[[Members], Members]


@pytest.fixture(scope="module")
def client_v2(server_url: str) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(server_url.removeprefix("http://"), network_timeout=60) as made:
        yield made


@pytest.fixture(scope="module")
def photos(portrait_jpeg: Path, no_people_jpeg: Path) -> list[bytes]:
    return [portrait_jpeg.read_bytes(), no_people_jpeg.read_bytes()]


def pictures(*contents: bytes, name: str = "image", shape: list[int] | None = None) -> triton.InferInput:
    made = triton.InferInput(name, shape or [len(contents)], "BYTES")
    made.set_data_from_numpy(np.array(contents, dtype=object).reshape(shape or [len(contents)]))
    return made


def tensor(name: str, array: np.ndarray, datatype: str, *, binary: bool = True) -> triton.InferInput:
    made = triton.InferInput(name, list(array.shape), datatype)
    made.set_data_from_numpy(array, binary_data=binary)
    return made


def test_health_and_metadata(client_v2: triton.InferenceServerClient, client: httpx.Client) -> None:
    assert client_v2.is_server_live()
    assert client_v2.is_server_ready()
    assert client_v2.get_server_metadata()["name"] == "sightline"
    served = client.get("/readyz").json()["tasks"]
    listed = {model["name"]: model for model in client_v2.get_model_repository_index()}
    assert set(listed) > set(served)
    for name, model in listed.items():
        assert client_v2.is_model_ready(name) == (model["state"] == "READY")
        if model["state"] == "READY":
            told = client_v2.get_model_metadata(name)
            assert (told["name"], told["versions"]) == (name, [model["version"]])
            assert told["inputs"]
            assert told["outputs"]
            assert client_v2.is_model_ready(name, model_version=model["version"])
    assert not client_v2.is_model_ready("nobody")


def test_pictures_get_the_native_answers(
    client_v2: triton.InferenceServerClient, client: httpx.Client, photos: list[bytes], same_answer: SameAnswer
) -> None:
    reply = client_v2.infer("emotion", [pictures(*photos, photos[0])], request_id="seven")
    assert reply.get_response()["id"] == "seven"
    answers = [json.loads(text) for text in reply.as_numpy("answer")]
    native = [client.post("/v1/emotion", files={"image": photo}).json() for photo in (*photos, photos[0])]
    assert [same_answer(answer) for answer in answers] == [same_answer(answer) for answer in native]
    assert [len(answer["faces"]) for answer in answers] == [1, 0, 1]
    assert reply.get_response()["model_version"] == answers[0]["model"]["version"]


def test_json_says_the_same_as_binary(
    client_v2: triton.InferenceServerClient, photos: list[bytes], same_answer: SameAnswer
) -> None:
    text = np.array([base64.b64encode(photos[0])], dtype=object)
    by_json = client_v2.infer(
        "faces",
        [tensor("image", text, "BYTES", binary=False)],
        outputs=[triton.InferRequestedOutput("answer", binary_data=False)],
    )
    assert "parameters" not in by_json.get_output("answer")
    by_binary = client_v2.infer("faces", [pictures(photos[0], shape=[1, 1])])
    assert by_binary.get_output("answer")["shape"] == [1, 1]
    one, other = by_json.as_numpy("answer")[0], by_binary.as_numpy("answer")[0, 0]
    assert same_answer(json.loads(one)) == same_answer(json.loads(other))


def test_options_as_parameters_and_as_tensors(client_v2: triton.InferenceServerClient, photos: list[bytes]) -> None:
    def counts(inputs: list[triton.InferInput], **chosen: Any) -> list[int]:
        reply = client_v2.infer("faces", [pictures(photos[0], photos[0]), *inputs], **chosen)
        return [len(json.loads(text)["faces"]) for text in reply.as_numpy("answer")]

    assert counts([]) == [1, 1]
    assert counts([], parameters={"confidence": 1}) == [0, 0]
    assert counts([tensor("confidence", np.array([1.0, 0.5]), "FP64")]) == [0, 1]
    assert counts([tensor("confidence", np.array([1.0], np.float32), "FP32", binary=False)]) == [0, 0]


def test_three_pictures_and_one_drawn(
    client_v2: triton.InferenceServerClient,
    client: httpx.Client,
    three_faces: list[Path],
    photos: list[bytes],
    same_answer: SameAnswer,
) -> None:
    contents = dict(zip(("anchor", "img1", "img2"), (path.read_bytes() for path in three_faces), strict=True))
    reply = client_v2.infer("similarity", [pictures(content, name=name) for name, content in contents.items()])
    native = client.post("/v1/similarity", files=contents).json()
    assert same_answer(json.loads(reply.as_numpy("answer")[0])) == same_answer(native)
    cut = client_v2.infer(
        "background",
        [pictures(photos[0])],
        outputs=[triton.InferRequestedOutput("picture")],
        parameters={"color": "#204060"},
    )
    native_png = client.post("/v1/background", files={"image": photos[0]}, data={"color": "#204060"})
    assert cut.as_numpy("picture")[0] == native_png.content
    assert cut.as_numpy("answer") is None


@pytest.mark.parametrize("name", ["emotion-small", "blazeface-short"])
@pytest.mark.parametrize("binary", [True, False])
def test_a_model_gives_what_its_engine_gives(client_v2: triton.InferenceServerClient, name: str, binary: bool) -> None:
    store = Store(Settings.from_env(), pull=False)
    card = store.card(name)
    engine = open_engine(card.engine, store.weights(card), Settings(threads=1))
    (wanted,) = engine.inputs
    rows = np.random.default_rng(7).random((3, *wanted.shape[1:]), np.float32)
    outputs = [triton.InferRequestedOutput(out.name, binary_data=binary) for out in engine.outputs]
    reply = client_v2.infer(name, [tensor(wanted.name, rows, "FP32", binary=binary)], outputs=outputs)
    for out, expected in zip(engine.outputs, engine.run(rows), strict=True):
        np.testing.assert_allclose(reply.as_numpy(out.name), expected, rtol=1e-4, atol=1e-4)


def test_errors_are_the_clients(client_v2: triton.InferenceServerClient, photos: list[bytes]) -> None:
    wrong: list[tuple[str, list[Any], str, str]] = [
        ("nobody", [pictures(photos[0])], "404", "nobody"),
        ("emotion", [pictures(b"text")], "415", ""),
        ("emotion", [pictures(photos[0], photos[0][:3000])], "400", "item 1"),
        ("emotion", [pictures(photos[0], name="photo")], "400", "image"),
        ("emotion-small", [tensor("input", np.zeros((1, 1, 4, 4), np.float32), "FP32")], "400", "shape"),
        ("similarity", [pictures(photos[1], name=name) for name in ("anchor", "img1", "img2")], "422", "face"),
    ]
    for model, inputs, status, said in wrong:
        with pytest.raises(InferenceServerException) as caught:
            client_v2.infer(model, inputs)
        assert caught.value.status() == status
        assert said in caught.value.message()
        assert "Traceback" not in caught.value.message()
    with pytest.raises(InferenceServerException, match="sequences"):
        client_v2.infer("emotion", [pictures(photos[0])], sequence_id=3, sequence_start=True)
    with pytest.raises(InferenceServerException, match="compressed"):
        client_v2.infer("emotion", [pictures(photos[0])], request_compression_algorithm="gzip")


def test_the_key(start_server: Any, photos: list[bytes]) -> None:
    url = start_server("faces", "--api-key", KEY).url.removeprefix("http://")
    with triton.InferenceServerClient(url) as asking:
        assert asking.is_server_ready()
        with pytest.raises(InferenceServerException) as caught:
            asking.infer("faces", [pictures(photos[0])])
        assert caught.value.status() == "401"
        reply = asking.infer("faces", [pictures(photos[0])], headers={"X-API-Key": KEY})
        assert len(json.loads(reply.as_numpy("answer")[0])["faces"]) == 1


def test_the_page_of_the_documentation(
    server_url: str, portrait_jpeg: Path, no_people_jpeg: Path, tmp_path: Path
) -> None:
    if shutil.which("curl") is None:
        pytest.skip("the examples need curl")
    shutil.copy(portrait_jpeg, tmp_path / "photo.jpg")
    shutil.copy(no_people_jpeg, tmp_path / "other.jpg")
    here = server_url.removeprefix("http://")

    def told(kind: str) -> list[str]:
        made = [example.replace("127.0.0.1:8000", here) for example in examples("kserve", kind)]
        return [run(example, kind, tmp_path, **os.environ) for example in made]

    (python,) = told("python")
    assert python.splitlines()[0].startswith("happy {")
    assert python.splitlines()[-1] == "(3, 7)"
    index, by_json = told("sh")
    assert '"emotion"' in index
    assert '"confidence"' in index
    assert '\\"faces\\":[{' in by_json
