"""The image's entry point: brings models from S3 where `SIGHTLINE_MODELS_FROM=s3://BUCKET/PREFIX` says so, then
becomes the command. Until the models are there nothing listens: the container is not ready."""

import os
import sys

if os.environ.get("SIGHTLINE_MODELS_FROM"):
    from sightline.errors import SightlineError
    from sightline.models.bucket import fetch

    try:
        print("models:", ", ".join(fetch(os.environ["SIGHTLINE_MODELS_FROM"])), flush=True)
    except SightlineError as error:
        sys.exit(f"sightline: {error} [{error.code}]")
os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606
