"""SageMaker's contract over hosts that load what the test says, and over the shipped models."""

from __future__ import annotations

import asyncio
import dataclasses
import io
import json
import shutil
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from starlette.testclient import TestClient

from sightline.errors import Conflict, InvalidOption, InvalidRequest, ModelMissing, NotFound, UnknownTask
from sightline.models.folder import FolderStore
from sightline.models.store import ZOO, Store
from sightline.protocols.sagemaker.app import create_multi, create_single
from sightline.protocols.sagemaker.attributes import HEADER, Attributes
from sightline.protocols.sagemaker.folder import choose_tasks, decided_by
from sightline.protocols.sagemaker.models import RuntimeHost, Shelf
from sightline.serving.errors import InsufficientMemory
from sightline.serving.memory import Memory
from sightline.serving.runtime import Runtime
from sightline.settings import Settings

PNG = {"Content-Type": "image/png"}


def png(width: int = 40, height: int = 40) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), "grey").save(file, "PNG")
    return file.getvalue()


def code(reply: Any, status: int) -> str:
    assert reply.status_code == status, reply.text
    return reply.json()["error"]["code"]


# --- attributes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "task", "options"),
    [
        (None, None, {}),
        ("", None, {}),
        ("task=emotion", "emotion", {}),
        (" task = background ; blur=true;", "background", {"blur": "true"}),
        ("color=%23204060;query=sea%3Bsun", None, {"color": "#204060", "query": "sea;sun"}),
        ("query=a=b", None, {"query": "a=b"}),
        ("query=", None, {"query": ""}),
    ],
)
def test_attributes(text: str | None, task: str | None, options: dict[str, str]) -> None:
    assert Attributes.parse(text) == Attributes(task, options)


@pytest.mark.parametrize("text", ["emotion", "task=a;task=b", "=x", "query=%ff"])
def test_attributes_that_are_none(text: str) -> None:
    with pytest.raises(InvalidOption):
        Attributes.parse(text)


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,9}", fullmatch=True), st.text(max_size=20), max_size=4))
def test_every_value_can_be_written(members: dict[str, str]) -> None:
    parsed = Attributes.parse(";".join(f"{name}={quote(value, safe='')}" for name, value in members.items()))
    assert {**parsed.options, **({} if parsed.task is None else {"task": parsed.task})} == members


# --- memory -----------------------------------------------------------------------------------------------------------


def system(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_memory_is_the_least_that_is_left(tmp_path: Path) -> None:
    assert Memory(root=tmp_path).left() is None
    system(tmp_path, proc__meminfo="MemTotal: 9000 kB\nMemAvailable:    4000 kB\n")
    assert Memory(root=tmp_path).left() == 4000 * 1024
    system(tmp_path, sys__fs__cgroup__memory_dot_max="max\n", sys__fs__cgroup__memory_dot_current="5\n")
    assert Memory(root=tmp_path).left() == 4000 * 1024
    system(
        tmp_path,
        sys__fs__cgroup__memory_dot_max="3000000\n",
        sys__fs__cgroup__memory_dot_current="2500000\n",
        sys__fs__cgroup__memory_dot_stat="anon 7\ninactive_file 200000\ntotal_inactive_file 9\n",
    )
    assert Memory(root=tmp_path).left() == 700_000
    old = "sys__fs__cgroup__memory__memory_dot_"
    system(tmp_path, **{f"{old}limit_in_bytes": "600000", f"{old}usage_in_bytes": "500000"})
    assert Memory(root=tmp_path).left() == 100_000
    assert Memory(limit=1, root=tmp_path).left() == 0


def test_this_machine_tells_its_memory() -> None:
    left = Memory().left()
    assert left is None or 2**20 < left < 2**50
    assert Memory(limit=2**30).left() is None or Memory(limit=2**30).left() < 2**30  # type: ignore[operator]


# --- folders ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """No models but the shipped ones."""
    return Settings(cache=tmp_path / "cache", models=tmp_path / "none", offline=True, max_concurrency=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two models, as an archive unpacks them; one is the user's own of that name."""
    for name in ("emotion-small", "lungs-bcdunet"):
        shutil.copytree(ZOO / name, tmp_path / "model" / name)
    own = tmp_path / "model/emotion-small/card.toml"
    own.write_text(own.read_text().replace('name = "emotion-small"', 'name = "emotion-own"'))
    return tmp_path / "model"


def test_a_folder_decides_tasks(folder: Path, settings: Settings) -> None:
    store = FolderStore(settings, folder)
    assert [card.name for card in store.own] == ["emotion-own", "lungs-bcdunet"]
    assert store.card("emotion-small").name == "emotion-small"  # the shipped ones are there too
    assert choose_tasks(store, ()) == {"emotion": "emotion-own", "lungs": "lungs-bcdunet"}
    assert choose_tasks(store, ("emotion",)) == {"emotion": "emotion-own"}
    assert choose_tasks(store, ("emotion=emotion-small", "faces")) == {"emotion": "emotion-small", "faces": ""}
    one = FolderStore(settings, folder / "emotion-small")
    assert [card.name for card in one.own] == ["emotion-own"]
    for home in (store.home, one.home):
        other_process = Store(dataclasses.replace(settings, models=home), pull=False)
        assert other_process.card("emotion-own").directory == folder / "emotion-small"
    with pytest.raises(UnknownTask):
        choose_tasks(store, ("emotions",))


def test_a_folder_that_decides_nothing_or_twice(folder: Path, settings: Settings, tmp_path: Path) -> None:
    shutil.copytree(ZOO / "emotion-small", folder / "second")
    with pytest.raises(InvalidOption, match="both decide emotion"):
        choose_tasks(FolderStore(settings, folder), ())
    with pytest.raises(ModelMissing):
        FolderStore(settings, tmp_path / "model/second/nothing")
    shutil.copytree(ZOO / "haar-frontal", tmp_path / "haar")
    haar = FolderStore(settings, tmp_path / "haar")
    # A detector plays a part in emotion, and decides faces alone.
    assert decided_by(haar.own[0], haar) == ("faces",)


# --- one model --------------------------------------------------------------------------------------------------------


def test_ping_is_truthful(settings: Settings) -> None:
    runtime = Runtime(settings)
    never = TestClient(create_single(runtime, ("lungs",)))  # not entered: nothing is loaded
    assert code(never.get("/ping"), 503) == code(never.post("/invocations", content=b"x"), 503) == "unavailable"
    with TestClient(create_single(Runtime(settings), ("lungs",))) as client:
        reply = wait_for_ping(client)
        assert (reply.status_code, reply.content) == (200, b"")
    failed = Runtime(settings)
    with pytest.raises(UnknownTask):
        failed.start(("nobody",))
    reply = TestClient(create_single(failed, ("nobody",))).get("/ping")
    assert code(reply, 503) == "unavailable"
    assert "nobody" in reply.json()["error"]["message"]
    failed.drain()
    assert "stopping" in TestClient(create_single(failed, ())).get("/ping").text


def wait_for_ping(client: TestClient) -> Any:
    for _ in range(1200):
        reply = client.get("/ping")
        if reply.status_code == 200:
            return reply
        time.sleep(0.1)
    raise AssertionError(reply.text)


def test_bodies_and_attributes(settings: Settings) -> None:
    runtime = Runtime(settings)
    runtime.start(("lungs", "emotion"))
    client = TestClient(create_single(runtime, ()))

    def ask(attributes: str | None, **chosen: Any) -> Any:
        headers = {**PNG, **chosen.pop("headers", {}), **({} if attributes is None else {HEADER: attributes})}
        return client.post("/invocations", **{"content": png(), **chosen}, headers=headers)

    assert "faces" in ask("task=emotion").json()
    assert ask("task=emotion;confidence=0.5").status_code == 200
    for kind in ("", "application/x-image", "application/octet-stream", "image/whatever"):
        assert "lungs" in ask("task=lungs", headers={"Content-Type": kind}).json()
    drawn = ask("task=lungs", headers={"Accept": "image/png"})
    assert drawn.headers["content-type"] == "image/png"
    assert json.loads(drawn.headers[HEADER])["model"]["name"] == "lungs-bcdunet"
    form = client.post("/invocations", files={"image": png()}, headers={HEADER: "task=lungs"})
    assert "lungs" in form.json()
    assert code(ask(None), 400) == "invalid_option"  # two tasks, and none named
    assert code(ask("task=faces"), 404) == "unknown_task"
    assert code(ask("task=emotion;confidence=2"), 400) == "invalid_option"
    assert code(ask("task=emotion;typo=2"), 400) == "invalid_option"
    assert code(ask("task=emotion", headers={"Content-Type": "text/csv"}), 415) == "unsupported_media_type"
    assert code(ask("task=emotion", headers={"Accept": "audio/mpeg"}), 406) == "not_acceptable"
    assert code(ask("task=emotion", content=b"text"), 415) == "unsupported_format"
    twice = json.dumps({"image": {"bytes": ""}, "confidence": 0.5})
    body = {"content": twice, "headers": {"Content-Type": "application/json"}}
    assert code(ask("task=emotion;confidence=0.4", **body), 400) == "invalid_option"
    assert code(client.get("/invocations"), 405) == "method_not_allowed"
    for path in ("/models", "/", "/v1/emotion", "/v2", "/docs", "/openapi.json", "/metrics"):
        assert code(client.get(path), 404) == "not_found", path


def test_one_task_needs_no_attribute_and_limits_hold(settings: Settings) -> None:
    runtime = Runtime(dataclasses.replace(settings, sagemaker_max_bytes=5000))
    runtime.start(("lungs",))
    client = TestClient(create_single(runtime, ()))
    assert "lungs" in client.post("/invocations", content=png(), headers=PNG).json()
    assert code(client.post("/invocations", content=b"x" * 6000, headers=PNG), 413) == "image_too_large"


class Stuck:
    """Answers nothing until it is let go."""

    def __init__(self) -> None:
        self.gate = threading.Event()

    def warm(self, name: str) -> None:
        pass

    def perform(self, job: Any) -> Any:
        assert self.gate.wait(60)
        raise InvalidRequest("too late")

    def stop(self) -> None:
        pass


def test_an_invocation_has_a_deadline(settings: Settings) -> None:
    stuck = Stuck()
    runtime = Runtime(dataclasses.replace(settings, timeout_seconds=0.2), executor=stuck)
    runtime.start(("lungs",))
    reply = TestClient(create_single(runtime, ())).post("/invocations", content=png(), headers=PNG)
    assert code(reply, 504) == "deadline_exceeded"
    stuck.gate.set()


# --- many models ------------------------------------------------------------------------------------------------------


class FakeHost:
    """Loads what it is told it has room for; waits where it is told to."""

    def __init__(self, room: int = 1000) -> None:
        self.room, self.held = room, dict[str, Path]()
        self.gate = threading.Event()
        self.gate.set()

    def load(self, name: str, folder: Path) -> None:
        assert self.gate.wait(20)
        if len(self.held) >= self.room:
            raise InsufficientMemory("no room")
        if "none" in str(folder):
            raise ModelMissing("no card")
        self.held[name] = folder

    def unload(self, name: str) -> None:
        del self.held[name]


def test_a_shelf() -> None:
    async def use() -> None:
        host = FakeHost(room=250)
        shelf = Shelf(host)
        for number in range(250):
            await shelf.load(f"m{number:03}", f"/models/{number}")
        first, token = shelf.page()
        second, token2 = shelf.page(token or "")
        third, end = shelf.page(token2 or "")
        listed = [model.name for model in (*first, *second, *third)]
        assert (listed, end) == (sorted(host.held), None)
        with pytest.raises(InsufficientMemory):
            await shelf.load("more", "/models/more")
        with pytest.raises(Conflict):
            await shelf.load("m001", "/models/other")
        assert (await shelf.unload("m001")).url == "/models/1"
        assert "m001" not in host.held
        with pytest.raises(NotFound):
            await shelf.unload("m001")
        with pytest.raises(InvalidRequest, match="no card"):
            await shelf.load("m001", "/models/none")
        assert (await shelf.load("m001", "/models/other")).url == "/models/other"
        assert shelf.get("m001").to_dict() == {"modelName": "m001", "modelUrl": "/models/other"}

    asyncio.run(use())


def test_a_model_that_is_being_loaded_is_there_and_not_yet_served() -> None:
    async def use() -> None:
        host = FakeHost()
        host.gate.clear()
        shelf = Shelf(host)
        loading = asyncio.create_task(shelf.load("a", "/a"))
        await asyncio.sleep(0)
        with pytest.raises(Conflict):
            await shelf.load("a", "/a")
        with pytest.raises(NotFound):
            shelf.get("a")
        host.gate.set()
        assert await loading == shelf.get("a")

    asyncio.run(use())


def test_the_routes_of_many_models(settings: Settings, folder: Path) -> None:
    runtime = Runtime(settings)
    with TestClient(create_multi(runtime, Shelf(RuntimeHost(runtime, Memory())))) as client:
        wait_for_ping(client)

        def load(name: Any, url: Any) -> Any:
            return client.post("/models", json={"model_name": name, "url": str(url)})

        assert client.get("/models").json() == {"models": []}
        assert code(client.get("/models/mine"), 404) == "not_found"
        url = str(folder / "emotion-small")
        assert load("mine", url).json() == {"modelName": "mine", "modelUrl": url}
        assert code(load("mine", url), 409) == "conflict"
        assert load("other", folder / "lungs-bcdunet").status_code == 200
        assert client.get("/models/mine").json() == {"modelName": "mine", "modelUrl": url}
        assert [model["modelName"] for model in client.get("/models").json()["models"]] == ["mine", "other"]
        answer = client.post("/models/mine/invoke", content=png(), headers={**PNG, HEADER: "task=emotion"}).json()
        assert answer["model"]["name"] == "emotion-own"
        assert "lungs" in client.post("/models/other/invoke", content=png(), headers=PNG).json()
        wrong = client.post("/models/mine/invoke", content=png(), headers={**PNG, HEADER: "task=lungs"})
        assert code(wrong, 400) == "invalid_option"
        assert client.delete("/models/mine").json()["modelName"] == "mine"
        assert "mine" not in runtime.tasks
        for gone in (client.delete("/models/mine"), client.post("/models/mine/invoke", content=png(), headers=PNG)):
            assert code(gone, 404) == "not_found"
        assert load("mine", url).status_code == 200
        assert code(load("both", folder), 400) == "invalid_option"
        assert code(load("none", folder / "nothing"), 400) == "invalid_request"
        for name, bad in (("a/b", url), ("a", "s3://bucket/key"), ("", url), (None, url), ("a", "")):
            assert code(load(name, bad), 400) == "invalid_request", (name, bad)
        for body in (b"", b"[]", b"{", b'{"model_name": 1, "url": []}', b"[" * 100_000):
            assert code(client.post("/models", content=body), 400) == "invalid_request"
        (folder / "emotion-small/model.onnx").write_bytes(b"damaged")
        assert code(load("damaged", url), 400) == "invalid_request"


class Left(Memory):
    """Memory that is left as the test says, from one question to the next."""

    def __init__(self, *left: int) -> None:
        super().__init__()
        self._told = list(left)

    def left(self) -> int | None:
        return self._told.pop(0)


@pytest.mark.parametrize("left", [(10 * 2**20,), (2**30, 10 * 2**20)])
def test_a_model_that_does_not_fit_is_507(settings: Settings, folder: Path, left: tuple[int, ...]) -> None:
    runtime = Runtime(settings)
    with TestClient(create_multi(runtime, Shelf(RuntimeHost(runtime, Left(*left, 2**30, 2**30))))) as client:
        order = {"model_name": "mine", "url": str(folder / "emotion-small")}
        assert code(client.post("/models", json=order), 507) == "insufficient_memory"
        assert client.get("/models").json() == {"models": []}
        assert runtime.tasks == {}
        assert client.post("/models", json=order).status_code == 200
