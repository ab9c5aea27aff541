"""Answers scoring requests inside the model's container (azureml-inference-server-http calls ``init`` and ``run``).

Request:  ``{"images": [[[<8 pixels>], <8 rows>], ...]}`` with pixels from 0 (white) to 16 (black)
Response: ``{"predictions": [0 to 9, ...], "confidence": [0 to 1, ...]}``

A request that is not like that is answered 400 with ``{"error": "..."}``. The file stands alone: the image holds it,
the model and the pinned libraries, nothing else.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np

SIDE = 8
DARKEST = 16
MOST_IMAGES = 10_000

_model: Any = None


class BadRequestError(Exception):
    """The client's fault; the text is the answer."""


def init() -> None:
    """Load the model once, when the server starts."""
    global _model  # noqa: PLW0603 - the server's contract is a module with two functions
    _model = load(Path(os.environ["AZUREML_MODEL_DIR"]))


def run(raw_body: str) -> Any:
    """Answer one request; the server hands over the body's text."""
    if not raw_body:  # also what the server makes of a body that is announced as a form
        return _refuse("the body is empty; send JSON with Content-Type: application/json")
    try:
        return answer(_model, json.loads(raw_body))
    except json.JSONDecodeError as error:
        return _refuse(f"the body is not JSON: {error.msg} at character {error.pos}")
    except (BadRequestError, RecursionError) as error:
        return _refuse(str(error))


def load(folder: Path) -> Any:
    """Read the model that ``train.save`` wrote."""
    return joblib.load(folder / "model.joblib")


def sample(medians: Sequence[float]) -> dict[str, Any]:
    """A request with one image."""
    return {"images": [[list(medians[start : start + SIDE]) for start in range(0, SIDE * SIDE, SIDE)]]}


def answer(model: Any, request: Any) -> dict[str, Any]:
    """The most likely digit of each image and how sure the model is; raises :class:`BadRequestError`."""
    pixels = _pixels(request)
    probabilities = model.predict_proba(pixels)
    return {
        "predictions": [int(digit) for digit in model.classes_[np.argmax(probabilities, axis=1)]],
        "confidence": [float(value) for value in probabilities.max(axis=1)],
    }


def _pixels(request: Any) -> Any:
    images = request.get("images") if isinstance(request, dict) else None
    if not isinstance(images, list) or not images:
        raise BadRequestError('the body must be {"images": [...]} with at least one image')
    if len(images) > MOST_IMAGES:
        raise BadRequestError(f"at most {MOST_IMAGES} images in one request")
    for number, image in enumerate(images):
        if not _is_list_of(image, SIDE) or not all(_is_list_of(row, SIDE) for row in image):
            raise BadRequestError(f"image {number} must be {SIDE} lists of {SIDE} pixels")
        if not all(_is_pixel(value) for row in image for value in row):
            raise BadRequestError(f"image {number}: every pixel must be a number from 0 to {DARKEST}")
    return np.asarray(images, dtype=np.float64).reshape(len(images), SIDE * SIDE)


def _is_list_of(value: Any, length: int) -> bool:
    return isinstance(value, list) and len(value) == length


def _is_pixel(value: Any) -> bool:
    # bool is an int in Python; the comparison also turns NaN away.
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= DARKEST


def _refuse(reason: str) -> Any:
    # The server exists only in the image.
    from azureml_inference_server_http.api.aml_response import AMLResponse  # type: ignore[import-not-found]

    return AMLResponse({"error": reason}, 400, json_str=True)
