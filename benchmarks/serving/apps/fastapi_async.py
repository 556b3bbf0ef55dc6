"""FastAPI as its tutorials write it: an `async def` endpoint that calls the model."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, UploadFile
from pipeline import chosen

app = FastAPI()
predict = chosen()


@app.post("/predict")
async def answer(image: UploadFile) -> dict[str, Any]:
    return predict(await image.read())
