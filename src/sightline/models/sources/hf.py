"""Files on a Hugging Face hub: `hf:ORG/REPO@REVISION/FILE`."""

from __future__ import annotations

import os
import re
from urllib.parse import quote

from sightline.errors import SourceFailed
from sightline.models.sources.base import Download
from sightline.models.sources.https import fetch

_REFERENCE = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)@(?P<revision>[\w.-]+)/(?P<file>.+)")


class HuggingFaceSource:
    """The hub at `HF_ENDPOINT`, with the token `HF_TOKEN` where there is one; resumes."""

    network = True

    def open(self, reference: str, offset: int = 0) -> Download:
        parts = _REFERENCE.fullmatch(reference)
        if parts is None:
            raise SourceFailed(f"hf:{reference} is not of the form hf:ORG/REPO@REVISION/FILE")
        endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/")
        if not endpoint:
            raise SourceFailed("set HF_ENDPOINT to the address of the hub or of its mirror; none is built in")
        token = os.environ.get("HF_TOKEN")
        return fetch(
            f"{endpoint}/{parts['repository']}/resolve/{parts['revision']}/{quote(parts['file'])}",
            {"Authorization": f"Bearer {token}"} if token else None,
            offset,
        )
