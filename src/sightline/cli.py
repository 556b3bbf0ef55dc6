"""The command `sightline`. Exit codes: 0 ok, 2 usage, 1 failure with one line on stderr."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from sightline import __version__
from sightline.errors import InvalidOption, MissingInput, SightlineError, UnknownTask
from sightline.settings import Settings

app = typer.Typer(
    name="sightline",
    help="A photo in, a typed answer out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
models_app = typer.Typer(help="The models: list, show, pull, import, verify.", no_args_is_help=True)
app.add_typer(models_app, name="models")
rekognition_app = typer.Typer(help="Amazon Rekognition's protocol: operations.", no_args_is_help=True)
app.add_typer(rekognition_app, name="rekognition")
collections_app = typer.Typer(help="Known faces: list, calibrate, migrate.", no_args_is_help=True)
app.add_typer(collections_app, name="collections")
sagemaker_app = typer.Typer(help="Amazon SageMaker's contract with containers: serve.", no_args_is_help=True)
app.add_typer(sagemaker_app, name="sagemaker")

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
StoreUrl = Annotated[
    str | None,
    typer.Option("--store", help="sqlite:PATH or postgresql://... (or SIGHTLINE_COLLECTIONS).", metavar="URL"),
]


def main() -> None:
    """Run the command; errors raised on purpose end as one line and exit 1, or 2 where the usage was wrong."""
    try:
        app()
    except (MissingInput, InvalidOption, UnknownTask) as error:
        _fail(error, 2)
    except SightlineError as error:
        _fail(error, 1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader (`| head`) has seen enough; without this Python complains once more at its exit.
        sys.stderr.close()
        sys.exit(0)
    except Exception as error:
        if sys.flags.dev_mode:  # python -X dev -m sightline.cli ...: with the traceback
            raise
        _fail(SightlineError(f"unexpected error, {type(error).__name__}: {' '.join(str(error).split())[:200]}"), 1)


def _fail(error: SightlineError, code: int) -> None:
    print(f"sightline: {error} [{error.code}]", file=sys.stderr)
    sys.exit(code)


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """A photo in, a typed answer out: faces, similarity, background, emotion, lungs, classify."""
    if version:
        print(f"sightline {__version__}")
        raise typer.Exit


@app.command()
def predict(
    task: Annotated[str, typer.Argument(help="faces, emotion, detect, ...: `sightline doctor` lists them")],
    images: Annotated[
        list[str], typer.Argument(help="Pictures; similarity takes ANCHOR IMG1 IMG2.", metavar="IMAGE...")
    ],
    as_json: Json = False,
    out: Annotated[Path | None, typer.Option(help="Where the drawn answer goes: a file, or a folder.")] = None,
    model: Annotated[str | None, typer.Option(help="The model's card or folder, in place of the default.")] = None,
    detector: Annotated[
        str | None, typer.Option(help="blazeface or haar for faces; centernet, blazepose-detector, ... for pose.")
    ] = None,
    confidence: Annotated[float | None, typer.Option(help="Leave out what is less certain (0..1).")] = None,
    threshold: Annotated[float | None, typer.Option(help="similarity: the distance of one person.")] = None,
    query: Annotated[str | None, typer.Option(help="background: search words.")] = None,
    background: Annotated[Path | None, typer.Option(help="background: a picture.")] = None,
    color: Annotated[str | None, typer.Option(help="background: a CSS colour.")] = None,
    blur: Annotated[bool, typer.Option("--blur", help="background: blur the photo's own.")] = False,
    transparent: Annotated[bool, typer.Option("--transparent", help="background: none.")] = False,
    provider: Annotated[str | None, typer.Option(help="background: who searches (gallery, openverse, ...).")] = None,
    fallback: Annotated[bool, typer.Option("--fallback", help="background: gallery if the provider fails.")] = False,
    tiles: Annotated[bool, typer.Option("--tiles", help="detect, segment: look closer too, for small things.")] = False,
    kind: Annotated[str | None, typer.Option(help="segment: instance, semantic or both.")] = None,
    mask: Annotated[str | None, typer.Option(help="segment: how masks are written, rle or png.")] = None,
    most: Annotated[int | None, typer.Option(help="segment: at most so many things, the surest.")] = None,
    top: Annotated[int | None, typer.Option(help="classify: how many labels to give at most.")] = None,
) -> None:
    """Answer a question about pictures."""
    from sightline.console import prediction

    given = {
        "confidence": confidence,
        "threshold": threshold,
        "query": query,
        "background": background,
        "color": color,
        "blur": blur or None,
        "transparent": transparent or None,
        "provider": provider,
        "fallback": fallback or None,
        "tiles": tiles or None,
        "kind": kind,
        "mask": mask,
        "most": most,
        "top": top,
    }
    options = {name: value for name, value in given.items() if value is not None}
    ok = prediction.run(task, images, options, model=model, detector=detector, as_json=as_json, out=out)
    if not ok:
        raise typer.Exit(1)


@app.command()
def serve(
    tasks: Annotated[list[str] | None, typer.Argument(help="Tasks, or TASK=MODEL; none: all that are here.")] = None,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")] = 8000,
    api_key: Annotated[str | None, typer.Option(help="The key callers must send (or SIGHTLINE_API_KEY).")] = None,
    pull: Annotated[bool, typer.Option("--pull", help="Pull missing models first.")] = False,
    online: Annotated[bool, typer.Option("--online", help="Let questions fetch pictures by URL or search.")] = False,
    insecure: Annotated[bool, typer.Option("--insecure", help="Listen beyond this machine without a key.")] = False,
    log_format: Annotated[str | None, typer.Option(help="text or json, one object a line.")] = None,
) -> None:
    """Serve the tasks: HTTP API, Swagger UI at /docs, the page at /."""
    from sightline.console import server

    settings = Settings.from_env()
    settings = replace(settings, api_key=api_key or settings.api_key, online=online)
    settings = replace(settings, log_format=log_format or settings.log_format)
    server.run(tuple(tasks or ()), host, port, settings, pull=pull, insecure=insecure)


@app.command()
def evaluate(
    task: Annotated[str, typer.Argument(help="The task to measure.")],
    data: Annotated[Path, typer.Option(help="The folder of labelled data.")],
    model: Annotated[str | None, typer.Option(help="The model's card, in place of the default.")] = None,
    protocol: Annotated[Path | None, typer.Option(help="similarity: the pairs file of LFW's protocol.")] = None,
    crops: Annotated[bool, typer.Option("--crops", help="emotion: the pictures are face crops already.")] = False,
    framed: Annotated[
        bool, typer.Option("--framed", help="emotion: face crops, laid on grey for the detector to find.")
    ] = False,
    without: Annotated[
        Path | None, typer.Option(help="emotion: leave out pictures that are in this folder too.", metavar="DIR")
    ] = None,
    held_out: Annotated[
        int | None, typer.Option(help="lungs, background: only the part of N that training leaves out.", min=2)
    ] = None,
    detector: Annotated[
        str | None, typer.Option(help="blazeface or haar for faces; centernet, blazepose-detector, ... for pose.")
    ] = None,
    tiles: Annotated[bool, typer.Option("--tiles", help="detect: look closer too, for small things.")] = False,
    true_boxes: Annotated[
        bool, typer.Option("--true-boxes", help="pose: people's boxes come from the labels, not from the detector.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Measure a task on labelled data: one JSON object of figures."""
    from sightline.console import figures

    if crops and framed:
        raise InvalidOption("--crops judges the network alone, --framed the detector too: choose one")
    figures.run(
        task,
        data,
        model=model,
        protocol=protocol,
        shown="crops" if crops else "framed" if framed else "photos",
        without=without,
        held_out=held_out,
        detector=detector,
        tiles=tiles,
        boxes="labelled" if true_boxes else "found",
        as_json=as_json,
    )


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(help="classify, emotion, lungs, portraits or similarity")],
    data: Annotated[Path, typer.Option(help="The folder of labelled data.")],
    out: Annotated[Path, typer.Option(help="Where weights, card, log and plots go.")],
    epochs: Annotated[int | None, typer.Option(min=1, help="The recipe's own number if left out.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint in --out.")] = False,
    seed: Annotated[int, typer.Option(help="Decides every random choice.")] = 0,
    architecture: Annotated[str | None, typer.Option(help="Another network of the recipe.")] = None,
    teacher: Annotated[
        str | None, typer.Option(help="similarity, portraits: the card of a model to learn from.", metavar="MODEL")
    ] = None,
    unlabelled: Annotated[
        Path | None, typer.Option(help="similarity, portraits: pictures for the teacher alone.", metavar="DIR")
    ] = None,
    negatives: Annotated[
        list[Path] | None,
        typer.Option(help="lungs: pictures that are no chest X-rays; may be repeated.", metavar="DIR"),
    ] = None,
    patience: Annotated[
        int | None, typer.Option(help="classify, emotion, similarity: stop after so many epochs without a gain.", min=1)
    ] = None,
    head: Annotated[
        str | None, typer.Option(help="classify: knn or logistic, over a network as it is; seconds, no PyTorch.")
    ] = None,
    embedding: Annotated[
        str | None, typer.Option(help="classify --head: the card of the network below.", metavar="MODEL")
    ] = None,
    backbone: Annotated[
        Path | None, typer.Option(help="classify: a checkpoint.pt to start from.", metavar="FILE")
    ] = None,
) -> None:
    """Train a model of your own (needs the extra `train`, but for classify --head)."""
    from sightline.console import lesson

    if head is not None or embedding is not None:
        lesson.teach(recipe, data, out, head or "knn", embedding)
        return
    given = {
        "architecture": architecture,
        "teacher": teacher,
        "unlabelled": unlabelled,
        "negatives": negatives or None,
        "patience": patience,
        "backbone": backbone,
    }
    options = {name: value for name, value in given.items() if value is not None}
    lesson.run(recipe, data, out, epochs, resume, seed, options)


@app.command()
def bench(
    task: Annotated[str | None, typer.Argument(help="The task; none: all whose models are here.")] = None,
    repeat: Annotated[int, typer.Option(min=1, help="Questions a size.")] = 15,
    tune: Annotated[
        bool, typer.Option("--tune", help="Find the best workers, threads and batches for serving, and keep them.")
    ] = False,
    seconds: Annotated[float, typer.Option(min=0.1, help="--tune: how long each way is tried.")] = 5.0,
    plot: Annotated[Path | None, typer.Option(help="--tune: throughput against p99, PNG.", metavar="FILE")] = None,
    as_json: Json = False,
) -> None:
    """Time tasks on this machine at 640, 1280 and 4000 pixels, cold start and memory too; or tune serving to it."""
    if tune:
        from sightline.console import tuning

        tuning.run(task or "emotion", seconds, plot, as_json)
        return
    from sightline.console import timing

    timing.run(task, repeat, as_json)


@app.command()
def doctor(as_json: Json = False) -> None:
    """Say what of Sightline works on this machine, and what to do about the rest."""
    from sightline.console import checkup

    if not checkup.run(as_json):
        raise typer.Exit(1)


@app.command()
def top(
    url: Annotated[str, typer.Option(help="The server's address.")] = "http://127.0.0.1:8000",
    once: Annotated[
        bool, typer.Option("--once", help="Print one frame, of the time since the server started.")
    ] = False,
    every: Annotated[float, typer.Option(min=0.1, max=60, help="Seconds between two looks.")] = 1.0,
    api_key: Annotated[str | None, typer.Option(help="Sent as a bearer token, where something asks for it.")] = None,
    as_json: Json = False,
) -> None:
    """Watch a running server: requests, errors, times, queue, batches, memory, models (stop: Ctrl+C)."""
    from sightline.console import top

    top.run(url, every, api_key, once=once, as_json=as_json)


@models_app.command("list")
def models_list(as_json: Json = False) -> None:
    """Every model: what it is for, its licence, and whether its weights are here."""
    from sightline.console import catalogue

    catalogue.show_all(as_json)


@models_app.command("show")
def models_show(name: str, as_json: Json = False) -> None:
    """One model's card."""
    from sightline.console import catalogue

    catalogue.show(name, as_json)


@models_app.command("pull")
def models_pull(
    names: Annotated[list[str] | None, typer.Argument(help="Models, or tasks.")] = None,
    defaults: Annotated[bool, typer.Option("--defaults", help="What every task needs by default.")] = False,
    as_json: Json = False,
) -> None:
    """Bring weights to this machine, checked by their sha256."""
    from sightline.console import catalogue

    if not names and not defaults:
        raise InvalidOption("name models or tasks, or say --defaults")
    if not catalogue.pull(tuple(names or ()), defaults, as_json):
        raise typer.Exit(1)


@models_app.command("import")
def models_import(
    file: Annotated[Path, typer.Argument(help="Keras, TorchScript, torch.export, ONNX or TFLite.")],
    task: Annotated[str, typer.Option(help="The task it will serve: classify, emotion, lungs, ...")],
    name: Annotated[str | None, typer.Option(help="The model's name; the file's if left out.")] = None,
    labels: Annotated[Path | None, typer.Option(help="The names of the outputs, in order.")] = None,
    card: Annotated[Path | None, typer.Option(help="What you know of the model: any members of a card.")] = None,
    architecture: Annotated[
        str | None, typer.Option(help="For weights only: emotion-classic, or FILE.py:function that builds the network.")
    ] = None,
    trust: Annotated[bool, typer.Option("--trust", help="Run code that comes with the model.")] = False,
    samples: Annotated[Path | None, typer.Option(help="Pictures to compare on; a folder a person calibrates.")] = None,
    crop: Annotated[str, typer.Option(help="similarity: what the network sees: box, whole or aligned.")] = "box",
    as_json: Json = False,
) -> None:
    """Put a model of your own beside the others (Keras and PyTorch files need the extra `import`)."""
    from sightline.console import importing

    importing.run(
        file,
        task,
        name=name,
        labels=labels,
        card=card,
        architecture=architecture,
        trust=trust,
        samples=samples,
        crop=crop,
        as_json=as_json,
    )


@models_app.command("verify")
def models_verify(names: Annotated[list[str] | None, typer.Argument()] = None, as_json: Json = False) -> None:
    """Check every file that is here against its card."""
    from sightline.console import catalogue

    if not catalogue.verify(tuple(names or ()), as_json):
        raise typer.Exit(1)


@rekognition_app.command("operations")
def rekognition_operations(
    as_json: Json = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print the list of docs/rekognition.md.")] = False,
) -> None:
    """Which operations of Rekognition's protocol work here."""
    from sightline.console import rekognition

    rekognition.operations(as_json, as_markdown)


@collections_app.command("list")
def collections_list(store: StoreUrl = None, as_json: Json = False) -> None:
    """Every collection: its faces and users, its model, its calibration."""
    from sightline.console import collections

    collections.show_all(store, as_json)


@collections_app.command("calibrate")
def collections_calibrate(
    name: Annotated[str, typer.Argument(help="The collection.")],
    pairs: Annotated[Path | None, typer.Option(help="Lines FIRST,SECOND,LABEL: face ids or pictures, 1 or 0.")] = None,
    users: Annotated[bool, typer.Option("--users", help="The pairs are those of the faces of its users.")] = False,
    rate: Annotated[float, typer.Option("--false-match-rate", help="The most pairs of two people at 80.")] = 0.001,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Measure only.")] = False,
    store: StoreUrl = None,
    as_json: Json = False,
) -> None:
    """Set what similarity means from labelled pairs: 80 is where the wanted false-match rate lies."""
    from sightline.console import collections

    collections.recalibrate(store, name, pairs, users, rate, dry_run=dry_run, as_json=as_json)


@collections_app.command("migrate")
def collections_migrate(
    name: Annotated[str, typer.Argument(help="The collection; it must have kept pictures.")],
    model: Annotated[str, typer.Option(help="The card of the face embedder to change to.")] = "dlib-face",
    store: StoreUrl = None,
) -> None:
    """Embed the faces of a collection anew with another model, or another version of it."""
    from sightline.console import collections

    collections.reembed(store, name, model)


@sagemaker_app.command("serve")
def sagemaker_serve(
    tasks: Annotated[
        list[str] | None, typer.Argument(help="Tasks, or TASK=MODEL (or SIGHTLINE_SAGEMAKER_TASKS).")
    ] = None,
) -> None:
    """Answer /ping and /invocations on port 8080, as SageMaker asks of a container (docs/sagemaker.md)."""
    from sightline.console import sagemaker

    sagemaker.run(tuple(tasks or ()), Settings.from_env())


if __name__ == "__main__":
    main()
