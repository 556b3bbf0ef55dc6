"""How much memory is left: what the container may still take, or the machine has."""

from __future__ import annotations

from pathlib import Path

from sightline.serving.residents import resident_bytes

_MEMINFO = Path("proc/meminfo")
# Control groups, version 2 and 1: the limit, what is used, and what of that is cache that can be dropped.
_GROUPS = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "total_inactive_file"),
)


class Memory:
    """Asks the system. `limit` is what this process may have in all, in bytes; 0 sets none of its own."""

    def __init__(self, limit: int = 0, root: Path = Path("/")) -> None:
        self._limit, self._root = limit, root

    def left(self) -> int | None:
        """Bytes that can still be taken: the least of what the machine, the container and the own limit leave; None
        where the system tells nothing and there is no limit."""
        known = [self._machine(), *self._container(), self._own()]
        told = [number for number in known if number is not None]
        return max(0, min(told)) if told else None

    def _own(self) -> int | None:
        return self._limit - resident_bytes() if self._limit else None

    def _machine(self) -> int | None:
        for line in self._read(_MEMINFO).splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
        return None

    def _container(self) -> list[int]:
        groups = self._root / "sys/fs/cgroup"
        left = []
        for limit, used, cache in _GROUPS:
            most, taken = self._read(groups / limit).strip(), self._read(groups / used).strip()
            if not (most.isdigit() and taken.isdigit()):  # absent, or "max"
                continue
            lines = self._read((groups / limit).parent / "memory.stat").splitlines()
            dropped = sum(int(line.split()[1]) for line in lines if line.split()[:1] == [cache])
            left.append(int(most) - int(taken) + dropped)
        return left

    def _read(self, path: Path) -> str:
        try:
            return (self._root / path).read_text()
        except OSError:
            return ""
