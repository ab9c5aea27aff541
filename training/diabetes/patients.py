"""The columns of the patients' tables, and how training, evaluation and serving turn them into the model's input."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import scoring

NUMBERS = {
    "age": scoring.Number(0, 120),
    "bmi": scoring.Number(10, 80),
    "blood_pressure": scoring.Number(30, 250),
    "total_cholesterol": scoring.Number(50, 500, nullable=True),
    "ldl": scoring.Number(10, 400, nullable=True),
    "hdl": scoring.Number(5, 200, nullable=True),
    "cholesterol_ratio": scoring.Number(1, 20, nullable=True),
    "log_triglycerides": scoring.Number(2, 8, nullable=True),
    "glucose": scoring.Number(30, 400, nullable=True),
}
TEXTS = {
    "sex": scoring.Choice(("female", "male")),
    "smoker": scoring.Choice(("never", "former", "current"), nullable=True),
    "activity": scoring.Choice(("low", "moderate", "high"), nullable=True),
}
FIELDS: Mapping[str, scoring.Field] = {**NUMBERS, **TEXTS}
TARGET = "progression"  # of the disease, one year later
SLICE = "sex"
UNKNOWN = "unknown"  # what a missing text counts as

# What scikit-learn's gradient boosting is made of, besides what skops trusts by itself.
EXTRA_TYPES = ("sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",)


def read(paths: Sequence[Path]) -> pd.DataFrame:
    """The rows of Parquet files, with the columns that count."""
    return pd.concat([pd.read_parquet(path, columns=[*FIELDS, TARGET]) for path in paths], ignore_index=True)


def inputs(table: Any) -> pd.DataFrame:
    """The model's input from a table, or from columns as lists; missing numbers stay missing."""
    frame = pd.DataFrame({name: table[name] for name in FIELDS})
    texts = frame[list(TEXTS)].astype(object)
    return frame[list(NUMBERS)].astype(float).join(texts.where(texts.notna(), UNKNOWN))
