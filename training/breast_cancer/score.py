"""Answers scoring requests inside the model's container (azureml-inference-server-http calls ``init`` and ``run``).

Request:  ``{"rows": [[<30 numbers, ordered as columns.FEATURES>], ...]}``
Response: ``{"predictions": [0 or 1, ...], "probabilities": [[malignant, benign], ...]}``

A request that is not like that is answered 400 with ``{"error": "..."}``.
"""

import os
from functools import partial
from pathlib import Path
from typing import Any

import model_files
import numpy as np
import scoring
from columns import FEATURES

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
    """Predicted labels and their probabilities, row by row; raises :class:`scoring.BadRequestError`."""
    rows = scoring.matrix(scoring.entries(request, "rows", shape="[...], ..."), width=len(FEATURES))
    probabilities = model.predict_proba(rows)
    return {
        "predictions": model.classes_[np.argmax(probabilities, axis=1)].tolist(),
        "probabilities": probabilities.tolist(),
    }
