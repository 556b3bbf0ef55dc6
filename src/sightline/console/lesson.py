"""`sightline train`."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from sightline.console.progress import counted, download_bar
from sightline.errors import InvalidOption, ModelError
from sightline.models.store import Store
from sightline.settings import Settings

RECIPES = ("classify", "emotion", "lungs", "portraits", "similarity")


def teach(recipe: str, data: Path, out: Path, head: str, embedding: str | None) -> None:
    """Learn labels from class folders over a network that is taken as it is, and print what came of it. Raises
    `InvalidOption`, and what the store raises."""
    from sightline.training.heads.teach import EMBEDDING, teach

    if recipe != "classify":
        raise InvalidOption(f"a head is for classify, not for {recipe}")
    settings = replace(Settings.from_env(), threads=1)  # every core looks at a picture of its own
    name = embedding or EMBEDDING
    with download_bar() as progress:
        store = Store(settings, progress)
        store.weights(store.card(name))
    with counted("look at the pictures") as count:
        try:
            done = teach(data, out, head, settings, store, embedding=name, progress=count)
        except OSError as error:
            raise InvalidOption(f"{error.filename or data}: {error.strerror}") from None
    print(f"{done.card.name}: {', '.join(done.card.labels)}")
    for line in done.card.figures:
        print(f"  {line.metric:28} {line.value:.3f}  ({line.dataset}; n = {line.n})")
    if done.doubles:
        print(f"  {done.doubles} pictures are the same as others, and left out")
    for name in done.broken[:10]:
        print(f"  cannot be read, and left out: {name}")
    print(f"  sightline predict classify PICTURE --model {_path(out)}")


def _path(folder: Path) -> str:
    """The folder so that it is not taken for a name."""
    return str(folder) if os.sep in str(folder) else f"./{folder}"


def run(
    recipe: str, data: Path, out: Path, epochs: int | None, resume: bool, seed: int, options: dict[str, Any]
) -> None:
    """Train a recipe and print its figures. Raises `InvalidOption` for an unknown recipe or data that cannot be read,
    and `ModelError` where training fails."""
    if recipe not in RECIPES:
        raise InvalidOption(f"there is no recipe {recipe!r}; there are {', '.join(RECIPES)}")
    if importlib.util.find_spec("torch") is None:
        without = "; `--head knn` does without" if recipe == "classify" else ""
        raise InvalidOption(f"training needs the extra: pip install 'sightline[train]'{without}")
    from sightline.training import train
    from sightline.training.datasets import DataError

    out.mkdir(parents=True, exist_ok=True)
    try:
        outcome = train(recipe, data, out, epochs=epochs, resume=resume, seed=seed, **options)
    except (DataError, OSError) as error:
        raise InvalidOption(f"{data}: {error}") from None
    except (ValueError, ArithmeticError) as error:
        raise ModelError(f"training failed: {error}") from None
    for line in outcome.figures:
        print(f"{line['dataset']}: {line['metric']} {line['value']} (n = {line['n']})")
    print(
        f"{outcome.model}: {outcome.model.stat().st_size:,} bytes, largest difference to PyTorch {outcome.parity:.1e}"
    )
