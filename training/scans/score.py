"""Answers scoring requests inside the model's container (azureml-inference-server-http calls ``init`` and ``run``).

Request:  ``{"images": ["<PNG file in base64>", ...]}``
Response: ``{"predictions": ["clean", "pore" or "scratch", ...], "confidence": [0 to 1, ...]}``

A request that is not like that is answered 400 with ``{"error": "..."}``.
"""

import base64
import binascii
import os
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx_model
import pictures
import scoring
from numpy.typing import NDArray

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
    return onnx_model.load(folder)


def answer(model: Any, request: Any) -> dict[str, Any]:
    """The most likely class of each picture and how sure the model is; raises :class:`scoring.BadRequestError`."""
    images = scoring.entries(request, "images", shape='"<PNG file in base64>", ...')
    features = np.stack([_features(number, image) for number, image in enumerate(images)])
    probabilities = onnx_model.probabilities(model, features)
    return {
        "predictions": [pictures.CLASSES[place] for place in np.argmax(probabilities, axis=1)],
        "confidence": probabilities.max(axis=1).astype(float).tolist(),
    }


def _features(number: int, image: Any) -> NDArray[np.float32]:
    if not isinstance(image, str):
        raise scoring.BadRequestError(f"image {number} must be a text: a PNG file in base64")
    try:
        return pictures.features(base64.b64decode(image, validate=True))
    except (binascii.Error, ValueError):
        raise scoring.BadRequestError(f"image {number} is not base64") from None
    except pictures.PictureError as error:
        raise scoring.BadRequestError(f"image {number} {error}") from None
