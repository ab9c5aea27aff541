"""Answers scoring requests inside the model's container (azureml-inference-server-http calls ``init`` and ``run``).

Request:  ``{"patients": [{"age": 59, "sex": "female", "bmi": 32.1, "blood_pressure": 101, ...}, ...]}`` with the fields
          of ``patients.FIELDS``; laboratory values, smoker and activity may be null or left out
Response: ``{"predictions": [<progression in a year>, ...]}``

A request that is not like that is answered 400 with ``{"error": "..."}``.
"""

import os
from functools import partial
from pathlib import Path
from typing import Any

import model_files
import patients
import scoring

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
    return model_files.load(folder, extra_types=patients.EXTRA_TYPES)


def answer(model: Any, request: Any) -> dict[str, Any]:
    """The predicted progression of each patient; raises :class:`scoring.BadRequestError`."""
    rows = scoring.entries(request, "patients", shape="{...}")
    columns = scoring.records(rows, patients.FIELDS, one="patient")
    return {"predictions": model.predict(patients.inputs(columns)).tolist()}
