"""Which tasks stay in memory."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from sightline.errors import EngineError
from sightline.serving.residents import Residents, resident_bytes


class Heavy:
    def __init__(self, name: str) -> None:
        self.name, self.warmed = name, 0

    def warm(self) -> None:
        self.warmed += 1


class Shelf:
    """Loads tasks that each take ten bytes."""

    def __init__(self) -> None:
        self.loads: list[str] = []

    def load(self, name: str) -> Any:
        self.loads.append(name)
        return Heavy(name)

    def memory(self) -> int:
        return 100 + 10 * len(self.loads)


def residents(bound: int = 0, pinned: tuple[str, ...] = ()) -> tuple[Residents, Shelf]:
    shelf = Shelf()
    return Residents(shelf.load, bound=bound, pinned=pinned, memory=shelf.memory), shelf


def test_a_task_is_loaded_and_warmed_once() -> None:
    kept, shelf = residents()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(kept.get, ["a"] * 64))
    assert len({id(task) for task in found}) == 1
    assert shelf.loads == ["a"]
    assert found[0].warmed == 1  # type: ignore[attr-defined]
    assert kept.loaded() == {"a": 10}


def test_the_one_used_longest_ago_goes() -> None:
    kept, shelf = residents(bound=30)
    for name in "abc":
        kept.get(name)
    kept.get("a")
    kept.get("d")
    assert set(kept.loaded()) == {"a", "c", "d"}
    kept.get("b")  # comes back when asked for
    assert set(kept.loaded()) == {"a", "b", "d"}
    assert shelf.loads == ["a", "b", "c", "d", "b"]


def test_the_pinned_and_the_newest_stay() -> None:
    kept, _ = residents(bound=5, pinned=("a",))
    for name in "abc":
        kept.get(name)
    assert set(kept.loaded()) == {"a", "c"}


def test_without_a_bound_everything_stays() -> None:
    kept, _ = residents()
    for name in "abcdefgh":
        kept.get(name)
    assert set(kept.loaded()) == set("abcdefgh")


def test_what_is_at_work_stays_until_it_is_done() -> None:
    kept, _ = residents(bound=10)
    held = kept.get("a")
    kept.get("b")
    assert set(kept.loaded()) == {"b"}
    assert held.name == "a"


def test_a_swap_answers_from_the_old_until_the_new_is_warm() -> None:
    kept, _ = residents()
    old = kept.get("a")
    seen = []

    class New(Heavy):
        def warm(self) -> None:
            seen.append(kept.get("a") is old)

    new = kept.swap("a", lambda name: New(name))  # type: ignore[arg-type,return-value]
    assert seen == [True]
    assert kept.get("a") is new


def test_a_swap_that_fails_changes_nothing() -> None:
    kept, _ = residents()
    old = kept.get("a")

    def torn(name: str) -> Any:
        raise EngineError("torn")

    with pytest.raises(EngineError):
        kept.swap("a", torn)
    assert kept.get("a") is old


def test_loading_one_does_not_hold_up_another_that_is_here() -> None:
    gate = threading.Event()

    def load(name: str) -> Any:
        assert name == "quick" or gate.wait(20)
        return Heavy(name)

    kept = Residents(load)
    kept.get("quick")
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(kept.get, "slow")
        assert kept.get("quick").name == "quick"
        gate.set()
        assert slow.result(20).name == "slow"


def test_the_memory_of_this_process_is_known() -> None:
    assert resident_bytes() > 10_000_000
