"""The arrays contract: a template for pipelines that tell classes apart by numbers in CSV files.

The folder's ``train.py`` writes ``fit(features, labels, parameters)``, its ``evaluate.py``
``measure(model, features, labels)``; the command lines, the reading of files and the writing of results are here. A
folder that needs something else writes its own programs and leaves this alone.
"""

import argparse
import csv
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import model_files
import numpy as np
import results
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Columns:
    """What the files have: the features, in the order of the model's inputs, and the label, one of the classes."""

    features: tuple[str, ...]
    label: str
    classes: tuple[int, ...]


@dataclass(frozen=True)
class Measures:
    """How good a model is on held-out rows. ``losses``: of each row, lower is better; ``slices``: its part of them."""

    metrics: Mapping[str, float]
    losses: NDArray[np.float64]
    slices: Sequence[str] | None = None


Fit = Callable[[Matrix, Labels, Mapping[str, float]], Any]
Measure = Callable[[Any, Matrix, Labels], Measures]


def train(fit: Fit, columns: Columns, defaults: Mapping[str, float], arguments: Sequence[str] | None = None) -> None:
    """``--data FOLDER --model FOLDER``, and an option for each parameter, which is a number above 0.

    Ends the process with a reason when the rows do not have every class.
    """
    parser = argparse.ArgumentParser(description="Train on the CSV files of a folder.")
    parser.add_argument("--data", type=Path, required=True, help="folder with CSV files")
    parser.add_argument("--model", type=Path, required=True, help="folder to leave the model in")
    for name, value in defaults.items():
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, dest=name, type=positive, default=value, help="default: %(default)s")
    options = parser.parse_args(arguments)
    features, labels = read_folder(options.data, columns)
    require_classes(labels, columns.classes, "the rows to train on")
    print(f"training on {len(labels)} rows")
    model_files.save(fit(features, labels, {name: getattr(options, name) for name in defaults}), options.model)


def evaluate(measure: Measure, columns: Columns, arguments: Sequence[str] | None = None) -> None:
    """``--model FOLDER --holdout FILE --out FOLDER``."""
    parser = argparse.ArgumentParser(description="Evaluate a model on a CSV file of held-out rows.")
    parser.add_argument("--model", type=Path, required=True, help="folder with the model")
    parser.add_argument("--holdout", type=Path, required=True, help="CSV file")
    parser.add_argument("--out", type=Path, required=True, help="folder to leave metrics.json and rows.csv in")
    options = parser.parse_args(arguments)
    features, labels = read_file(options.holdout, columns)
    if len(set(labels.tolist())) < min(2, len(columns.classes)):
        give_up("the hold-out has rows of one class only, so that no model can be judged by it; add rows of the others")
    model = model_files.load(options.model)
    if tuple(model.classes_) != columns.classes:
        give_up("the model was trained on other classes than the hold-out is said to have")
    found = measure(model, features, labels)
    results.write(options.out, found.metrics, found.losses.tolist(), found.slices)
    print(f"evaluated on {len(labels)} rows")


def read_folder(folder: Path, columns: Columns) -> tuple[Matrix, Labels]:
    """The rows of all files below a folder, in the order of their names."""
    tables = [read_file(path, columns) for path in sorted(folder.rglob("*")) if path.is_file()]
    if not tables:
        give_up("there are no files to train on")
    return np.concatenate([table[0] for table in tables]), np.concatenate([table[1] for table in tables])


def read_file(path: Path, columns: Columns) -> tuple[Matrix, Labels]:
    """The rows of one file, whose header may have the columns in any order, and others.

    Whether every cell is what ``data.columns`` in the pipeline's file says was checked before the program started.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        header = [title.strip() for title in next(csv.reader(file), [])]
    missing = [name for name in (*columns.features, columns.label) if name not in header]
    if missing:
        give_up(f"{len(missing)} columns are missing in a file, the first one is {missing[0]!r}")
    places = [header.index(name) for name in (*columns.features, columns.label)]
    table = np.loadtxt(
        path, delimiter=",", skiprows=1, usecols=places, ndmin=2, comments=None, quotechar='"', encoding="utf-8-sig"
    ).reshape(-1, len(places))
    return table[:, :-1], table[:, -1].astype(np.int64)


def require_classes(labels: Labels, classes: Sequence[int], what: str) -> None:
    """Each class must be there, and no other; the classes are declared, so naming one tells nothing."""
    present = set(labels.tolist())
    missing = sorted(set(classes) - present)
    if missing:
        give_up(f"{what} have none of the class with label {', '.join(map(str, missing))}; add some")
    if present - set(classes):
        give_up(f"{what} have a label that is none of {', '.join(map(str, classes))}")


def log_losses(probabilities: Matrix, labels: Labels, classes: Sequence[int]) -> NDArray[np.float64]:
    """Of each row: minus the logarithm of the probability that the model gave to what the row really is.

    ``classes``: what the columns stand for, ascending. The mean is scikit-learn's ``log_loss``.
    """
    least = np.finfo(probabilities.dtype).eps
    right = probabilities[np.arange(len(labels)), np.searchsorted(classes, labels)]
    return -np.log(np.clip(right, least, 1 - least))


def positive(text: str) -> float:
    """A number above 0 from the command line."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError("must be a number above 0")
    return value


def give_up(reason: str) -> NoReturn:
    """End the program with a reason, which says nothing about any row."""
    sys.exit(f"failed: {reason}")
