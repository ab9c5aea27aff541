"""Handwritten digits from images of 8 x 8 pixels (UCI optical recognition of handwritten digits).

Pure functions on arrays; ``job.py`` runs them on the VM. The same rows in the same order give the same model.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score, log_loss
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

Matrix = NDArray[np.float64]
Labels = NDArray[np.int64]

SIDE = 8
FEATURES = tuple(f"pixel_{row}_{column}" for row in range(SIDE) for column in range(SIDE))
LABEL = "label"
CLASSES = tuple(range(10))

DEFAULTS: dict[str, float] = {"inverse_regularisation": 0.3, "most_iterations": 1000}


def check(parameters: Mapping[str, Any]) -> None:
    """Raise ``ValueError`` naming the first parameter that :func:`fit` does not understand."""
    for name, value in parameters.items():
        if name not in DEFAULTS:
            raise ValueError(f"parameter {name!r} is unknown; known: {', '.join(sorted(DEFAULTS))}")
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            raise ValueError(f"parameter {name!r} must be a number above 0")


def fit(features: Matrix, labels: Labels, parameters: Mapping[str, Any]) -> Pipeline:
    """A scaled multinomial logistic regression."""
    chosen = DEFAULTS | dict(parameters)
    regression = LogisticRegression(C=chosen["inverse_regularisation"], max_iter=int(chosen["most_iterations"]))
    return make_pipeline(StandardScaler(), regression).fit(features, labels)


def evaluate(model: Pipeline, features: Matrix, labels: Labels) -> dict[str, float]:
    """Metrics on held-out images; ``macro_f1`` weighs the ten digits alike.

    Raises ``ValueError`` when the model was fitted without an example of each digit.
    """
    probabilities = model.predict_proba(features)
    predicted = model.predict(features)
    return {
        "accuracy": float(accuracy_score(labels, predicted)),
        "log_loss": float(log_loss(labels, probabilities, labels=CLASSES)),
        "macro_f1": float(f1_score(labels, predicted, average="macro", labels=CLASSES)),
    }


def save(model: Pipeline, folder: Path) -> None:
    """Write the model for ``score.py``; only classes of scikit-learn go into the file."""
    joblib.dump(model, folder / "model.joblib")
