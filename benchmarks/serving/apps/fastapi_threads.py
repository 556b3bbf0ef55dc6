"""FastAPI with a plain `def` endpoint, which it runs on its pool of threads."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, UploadFile
from pipeline import chosen

app = FastAPI()
predict = chosen()


@app.post("/predict")
def answer(image: UploadFile) -> dict[str, Any]:
    return predict(image.file.read())
