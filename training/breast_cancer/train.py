"""Benign or malignant, from thirty measurements of cell nuclei (Wisconsin diagnostic breast cancer data).

Pure functions on arrays; ``job.py`` runs them on the VM. The same rows in the same order give the same model.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss, recall_score, roc_auc_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

Matrix = NDArray[np.float64]
Labels = NDArray[np.int64]

MEASUREMENTS = (
    "radius",
    "texture",
    "perimeter",
    "area",
    "smoothness",
    "compactness",
    "concavity",
    "concave_points",
    "symmetry",
    "fractal_dimension",
)
FEATURES = tuple(f"{kind}_{name}" for kind in ("mean", "error", "worst") for name in MEASUREMENTS)
LABEL = "label"
MALIGNANT, BENIGN = 0, 1
CLASSES = (MALIGNANT, BENIGN)

DEFAULTS: dict[str, float] = {"inverse_regularisation": 0.3, "most_iterations": 1000}


def check(parameters: Mapping[str, Any]) -> None:
    """Raise ``ValueError`` naming the first parameter that :func:`fit` does not understand."""
    for name, value in parameters.items():
        if name not in DEFAULTS:
            raise ValueError(f"parameter {name!r} is unknown; known: {', '.join(sorted(DEFAULTS))}")
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            raise ValueError(f"parameter {name!r} must be a number above 0")


def fit(features: Matrix, labels: Labels, parameters: Mapping[str, Any]) -> Pipeline:
    """A scaled logistic regression."""
    chosen = DEFAULTS | dict(parameters)
    regression = LogisticRegression(C=chosen["inverse_regularisation"], max_iter=int(chosen["most_iterations"]))
    return make_pipeline(StandardScaler(), regression).fit(features, labels)


def evaluate(model: Pipeline, features: Matrix, labels: Labels) -> dict[str, float]:
    """Metrics on held-out rows; ``malignant_recall`` is the share of malignant cases that were found."""
    probabilities = model.predict_proba(features)
    predicted = model.predict(features)
    return {
        "accuracy": float(accuracy_score(labels, predicted)),
        "log_loss": float(log_loss(labels, probabilities, labels=CLASSES)),
        "malignant_recall": float(recall_score(labels, predicted, pos_label=MALIGNANT)),
        "roc_auc": float(roc_auc_score(labels, probabilities[:, BENIGN])),
    }


def save(model: Pipeline, folder: Path) -> None:
    """Write the model for ``score.py``; only classes of scikit-learn go into the file."""
    joblib.dump(model, folder / "model.joblib")
