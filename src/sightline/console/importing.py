"""`sightline models import`."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console
from rich.status import Status

from sightline.importing import Imported, Request
from sightline.settings import Settings


def run(
    file: Path,
    task: str,
    *,
    name: str | None,
    labels: Path | None,
    card: Path | None,
    architecture: str | None,
    trust: bool,
    samples: Path | None,
    crop: str,
    as_json: bool,
) -> None:
    """Import a model into the user's folder of models and print what came of it. Raises as `importing.bring`."""
    from sightline.importing.apart import bring_apart

    request = Request(
        file=file,
        task=task,
        folder=folder(Settings.from_env()),
        name=name,
        labels=labels,
        card=card,
        architecture=architecture,
        trust=trust,
        samples=samples,
        crop=crop,
    )
    with Status(f"importing {file.name}", console=Console(stderr=True)):
        done = bring_apart(request)
    print(json.dumps(done.to_dict()) if as_json else told(done))


def folder(settings: Settings) -> Path:
    """Where the user's own models are."""
    from platformdirs import user_data_path

    return settings.models or user_data_path("sightline") / "models"


def told(done: Imported) -> str:
    """The result in lines for a person."""
    parity = done.parity
    lines = [
        f"{done.name} {done.version}: {done.format}, for {done.task} ({done.architecture} on {done.engine})",
        f"  folder         {done.directory}",
        f"  weights        {done.size:,} bytes, sha256 {done.sha256}",
        f"  parity         largest difference {parity.random_difference:.1e} over {parity.random} drawn pictures, "
        f"{parity.real_difference:.1e} over {parity.real} real ones ({parity.tolerance:.1e} allowed)",
        *(f"  note           {note}" for note in done.notes),
    ]
    return "\n".join(lines)
