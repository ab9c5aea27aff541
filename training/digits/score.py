"""Answers scoring requests inside the model's container (azureml-inference-server-http calls ``init`` and ``run``).

Request:  ``{"images": [[[<8 pixels>], <8 rows>], ...]}`` with pixels from 0 (white) to 16 (black)
Response: ``{"predictions": [0 to 9, ...], "confidence": [0 to 1, ...]}``

A request that is not like that is answered 400 with ``{"error": "..."}``.
"""

import os
from functools import partial
from pathlib import Path
from typing import Any

import model_files
import numpy as np
import scoring
from columns import DARKEST, SIDE

PIXEL = scoring.Number(0, DARKEST)

_model: Any = None


def init() -> None:
    """Load the model once, when the server starts."""
    global _model  # noqa: PLW0603 - the server's contract is a module with two functions
    _model = load(Path(os.environ["AZUREML_MODEL_DIR"]))


def run(raw_body: str) -> Any:
    """Answer one request; the server hands over the body's text."""
    return scoring.respond(raw_body, partial(answer, _model))


def load(folder: Path) -> Any:
    """Read the model that ``train.py`` wrote."""
    return model_files.load(folder)


def answer(model: Any, request: Any) -> dict[str, Any]:
    """The most likely digit of each image and how sure the model is; raises :class:`scoring.BadRequestError`."""
    images = [_pixels(number, image) for number, image in enumerate(scoring.entries(request, "images"))]
    probabilities = model.predict_proba(np.concatenate(images))
    return {
        "predictions": model.classes_[np.argmax(probabilities, axis=1)].tolist(),
        "confidence": probabilities.max(axis=1).tolist(),
    }


def _pixels(number: int, image: Any) -> Any:
    """One row for the model."""
    if not isinstance(image, list) or len(image) != SIDE:
        raise scoring.BadRequestError(f"image {number} must be {SIDE} lists of {SIDE} pixels")
    return scoring.matrix(image, width=SIDE, one=f"image {number}, row", cell=PIXEL).reshape(1, SIDE * SIDE)
