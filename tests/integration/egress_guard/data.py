"""Tables that scikit-learn ships, as CSV files that a hub could hold."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn import datasets

Matrix = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class TableData:
    features: Matrix
    labels: Matrix

    def as_csv(self) -> str:
        columns = self.features.shape[1]
        header = ",".join([f"measurement_{number}" for number in range(columns)] + ["label"])
        rows = (
            ",".join([*(repr(float(value)) for value in row), repr(float(label))])
            for row, label in zip(self.features, self.labels, strict=True)
        )
        return "\n".join([header, *rows]) + "\n"


def breast_cancer() -> TableData:
    return TableData(*datasets.load_breast_cancer(return_X_y=True))


def digits() -> TableData:
    return TableData(*datasets.load_digits(return_X_y=True))


def diabetes() -> TableData:
    return TableData(*datasets.load_diabetes(return_X_y=True, scaled=False))


def reviews(rows: int = 400, *, names: bool) -> tuple[str, list[str], list[int]]:
    """A table with free text: a name that stands once when ``names``, and words that all of them use."""
    random = np.random.default_rng(5)
    usual = ["good", "bad", "slow", "fast", "broken", "repaired", "machine", "pump", "valve", "motor", "again", "today"]
    texts, labels = [], []
    for number in range(rows):
        words = [str(each) for each in random.choice(usual, 6)]
        if names:
            words.append("customer" + "".join(chr(97 + int(each)) for each in str(number).zfill(4)))
        texts.append(" ".join(words))
        labels.append(int("broken" in words))
    lines = [f"{number % 7},{text},{label}" for number, (text, label) in enumerate(zip(texts, labels, strict=True))]
    return "\n".join(["shift,review,label", *lines]) + "\n", texts, labels
