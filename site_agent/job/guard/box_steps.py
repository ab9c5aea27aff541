"""Load a model of scikit-learn in the box, and give the training rows as each of its steps makes them."""

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from site_agent.job.guard.samples import Samples
from site_agent.job.guard.skops_files import trusted_types

_MOST_COLUMNS: Final = 5_000
_LABELS: Final = ("label", "target", "y", "class")


def load(path: Path, kind: str, extra_types: Sequence[str]) -> Any:
    """The model of a file whose types were checked; None when the image cannot load it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if kind == "skops":
            try:
                import skops.io
            except ImportError:
                return None
            needed = skops.io.get_untrusted_types(file=path)
            allowed = trusted_types() | frozenset(extra_types)
            return skops.io.load(path, trusted=[each for each in needed if each in allowed])
        import joblib

        return joblib.load(path)


def rows_after_each_step(model: Any, samples: Samples) -> Iterator[tuple[str, Any]]:
    """Name of a step and its rows, for every step but the last of every pipeline in the model."""
    for number, pipeline in enumerate(_pipelines(model)):
        for rows in _inputs(pipeline, samples):
            made = list(_run(pipeline, rows))
            if made:
                yield from ((f"step {step + 1} of pipeline {number + 1}", each) for step, each in made)
                break


def _pipelines(model: Any, depth: int = 0) -> Iterator[Any]:
    """Pipelines, also within searches and ensembles."""
    if hasattr(model, "steps") and hasattr(model, "named_steps"):
        yield model
    if depth < 4:
        for name in ("best_estimator_", "estimator_", "regressor_", "classifier_"):
            inner = getattr(model, name, None)
            if inner is not None and inner is not model:
                yield from _pipelines(inner, depth + 1)


def _inputs(pipeline: Any, samples: Samples) -> Iterator[Any]:
    """The rows as the pipeline may have been given them: as a table with names, or as numbers without the label."""
    names = list(getattr(pipeline, "feature_names_in_", ()))
    if names and set(names) <= samples.columns.keys():
        try:
            import pandas as pd
        except ImportError:
            pass
        else:
            yield pd.DataFrame({name: samples.columns[name] for name in names})
    width, matrix = getattr(pipeline, "n_features_in_", None), samples.matrix
    if width == matrix.shape[1]:
        yield matrix
    elif width == matrix.shape[1] - 1:
        labels = [number for number, name in enumerate(samples.names) if name.lower() in _LABELS]
        for column in dict.fromkeys([*(each for each in labels if each <= width), width, 0]):
            yield np.delete(matrix, column, axis=1)


def _run(pipeline: Any, rows: Any) -> Iterator[tuple[int, Any]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number, (_, step) in enumerate(pipeline.steps[:-1]):
            if step is None or step == "passthrough":
                continue
            try:
                rows = step.transform(rows)
            except Exception:  # noqa: BLE001 - the rows were not what it was fitted on; others are tried
                return
            dense = _dense(rows)
            if dense is not None:
                yield number, dense


def _dense(rows: Any) -> Any:
    if getattr(rows, "ndim", 0) != 2 or not 2 <= rows.shape[1] <= _MOST_COLUMNS:
        return None
    values = rows.toarray() if hasattr(rows, "toarray") else np.asarray(rows)
    return values if values.dtype.kind in "fiub" else None
