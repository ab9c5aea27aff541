"""Answers scoring requests inside the model's container (azureml-inference-server-http calls ``init`` and ``run``).

Request:  ``{"rows": [[<30 numbers, ordered as train.FEATURES>], ...]}``
Response: ``{"predictions": [0 or 1, ...], "probabilities": [[malignant, benign], ...]}``

A request that is not like that is answered 400 with ``{"error": "..."}``. The file stands alone: the image holds it,
the model and the pinned libraries, nothing else.
"""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np

FEATURES = 30
MOST_ROWS = 10_000
LARGEST = sys.float_info.max

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
    """A request with one row."""
    return {"rows": [list(medians)]}


def answer(model: Any, request: Any) -> dict[str, Any]:
    """Predicted labels and their probabilities, row by row; raises :class:`BadRequestError`."""
    rows = _rows(request)
    probabilities = model.predict_proba(rows)
    return {
        "predictions": [int(label) for label in model.classes_[np.argmax(probabilities, axis=1)]],
        "probabilities": [[float(value) for value in row] for row in probabilities],
    }


def _rows(request: Any) -> Any:
    rows = request.get("rows") if isinstance(request, dict) else None
    if not isinstance(rows, list) or not rows:
        raise BadRequestError('the body must be {"rows": [[...], ...]} with at least one row')
    if len(rows) > MOST_ROWS:
        raise BadRequestError(f"at most {MOST_ROWS} rows in one request")
    for number, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != FEATURES:
            raise BadRequestError(f"row {number} must be a list of {FEATURES} numbers")
        for column, value in enumerate(row):
            if not _is_finite_number(value):
                raise BadRequestError(f"row {number}, column {column} must be a finite number")
    return np.asarray(rows, dtype=np.float64)


def _is_finite_number(value: Any) -> bool:
    # bool is an int in Python; json.loads lets NaN, Infinity and integers beyond any float pass.
    return isinstance(value, int | float) and not isinstance(value, bool) and -LARGEST <= value <= LARGEST


def _refuse(reason: str) -> Any:
    # The server exists only in the image.
    from azureml_inference_server_http.api.aml_response import AMLResponse  # type: ignore[import-not-found]

    return AMLResponse({"error": reason}, 400, json_str=True)
