"""Finds flaws in scans of a surface: clean, pore or scratch.

    python train.py --data FOLDER --model FOLDER [--inverse-regularisation C]

Reads PNG files from folders named after their class, and exports the model to ONNX. The same files give the same model.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pictures
from numpy.typing import NDArray
from skl2onnx import to_onnx
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler


def fit(features: NDArray[np.float32], classes: Sequence[str], *, inverse_regularisation: float) -> Pipeline:
    """A scaled multinomial logistic regression."""
    regression = LogisticRegression(C=inverse_regularisation, max_iter=2000)
    return make_pipeline(StandardScaler(), regression).fit(features, classes)


def exported(model: Pipeline, width: int) -> bytes:
    """The model as ONNX, which answers with the class and with the probability of each class as one array."""
    options: dict[Any, Any] = {id(model): {"zipmap": False}}
    empty = np.zeros((0, width), dtype=np.float32)
    onnx = to_onnx(model, empty, options=options, name="scans", initial_types=None)
    content: bytes = onnx.SerializeToString(deterministic=True)
    return content


def main(arguments: Sequence[str] | None = None) -> None:
    """Train on what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--inverse-regularisation", type=float, default=1.0)
    options = parser.parse_args(arguments)
    features, classes = pictures.read_folder(options.data)
    if set(classes) != set(pictures.CLASSES):
        sys.exit(f"failed: there must be PNG files in folders named {', '.join(pictures.CLASSES)}, and in no others")
    print(f"training on {len(classes)} scans")
    model = fit(features, classes, inverse_regularisation=options.inverse_regularisation)
    (options.model / pictures.MODEL).write_bytes(exported(model, features.shape[1]))


if __name__ == "__main__":
    main()
