"""A photo in, a typed answer out.

import sightline

faces = sightline.load("faces")
answer = faces("photo.jpg")
answer.to_dict()
answer.draw("photo.jpg").save("seen.jpg")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sightline import errors
from sightline.settings import Settings

if TYPE_CHECKING:
    from sightline.models.store import Store
    from sightline.tasks.base import Answer, Task

__version__ = "0.1.0"
__all__ = ["Answer", "Settings", "Store", "Task", "__version__", "errors", "load"]


def load(
    task: str,
    *,
    model: str | None = None,
    detector: str | None = None,
    settings: Settings | None = None,
    store: Store | None = None,
) -> Task[Any, Any]:
    """The task called `task`, ready to be called with pictures (path, bytes, RGB array or PIL image).

    `model` and `detector` name cards in place of the defaults. Weights that are not on this machine are pulled,
    checked by their sha256 and kept, unless `SIGHTLINE_OFFLINE` is set. Raises `UnknownTask`, `UnknownModel`,
    `InvalidOption`, `Offline`, `SourceFailed` and `ChecksumMismatch`, all in `sightline.errors`.
    """
    # Imported when first needed: `import sightline` loads no engine and no NumPy.
    from sightline.tasks import registry

    return registry.load(task, model=model, detector=detector, settings=settings, store=store)


def __getattr__(name: str) -> Any:
    if name == "Store":
        from sightline.models.store import Store

        return Store
    if name in ("Answer", "Task"):
        from sightline.tasks import base

        return getattr(base, name)
    raise AttributeError(f"module 'sightline' has no attribute {name!r}")
