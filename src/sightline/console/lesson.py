"""`sightline train`."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from sightline.errors import InvalidOption, ModelError

RECIPES = ("emotion", "lungs", "portraits", "similarity")


def run(
    recipe: str, data: Path, out: Path, epochs: int | None, resume: bool, seed: int, options: dict[str, Any]
) -> None:
    """Train a recipe and print its figures. Raises `InvalidOption` for an unknown recipe or data that cannot be read,
    and `ModelError` where training fails."""
    if recipe not in RECIPES:
        raise InvalidOption(f"there is no recipe {recipe!r}; there are {', '.join(RECIPES)}")
    if importlib.util.find_spec("torch") is None:
        raise InvalidOption("training needs the extra: pip install 'sightline[train]'")
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
