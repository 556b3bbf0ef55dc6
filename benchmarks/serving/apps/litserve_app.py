"""LitServe: workers in processes, `decode_request`, `predict` and `encode_response` as its documentation shows.

python litserve_app.py PORT, with BENCH_WORKERS, BENCH_FAST_QUEUE, BENCH_BATCH and BENCH_API_SERVERS
"""

from __future__ import annotations

import os
import sys
from typing import Any

import litserve as ls
from pipeline import batched, chosen

BATCH = int(os.environ.get("BENCH_BATCH", "1"))


class Single(ls.LitAPI):
    def setup(self, device: str) -> None:
        self.model = chosen()

    def decode_request(self, request):  # type: ignore[no-untyped-def]  # LitServe reads the annotation: none is a form
        return request["image"].file.read()

    def predict(self, data: bytes) -> dict[str, Any]:
        return self.model(data)

    def encode_response(self, answer: dict[str, Any]) -> dict[str, Any]:
        return answer


class Batched(Single):
    def setup(self, device: str) -> None:
        self.model = batched()

    def batch(self, inputs: list[bytes]) -> list[bytes]:
        return inputs

    def unbatch(self, output: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return output


if __name__ == "__main__":
    api = Batched(max_batch_size=BATCH, batch_timeout=0.005) if BATCH > 1 else Single()
    server = ls.LitServer(
        api,
        accelerator="cpu",
        workers_per_device=int(os.environ.get("BENCH_WORKERS", "2")),
        fast_queue=os.environ.get("BENCH_FAST_QUEUE") == "1",
        timeout=120,
    )
    servers = os.environ.get("BENCH_API_SERVERS")
    server.run(
        host="127.0.0.1",
        port=int(sys.argv[1]),
        num_api_servers=int(servers) if servers else None,
        generate_client_file=False,
        log_level="warning",
    )
