"""How well the flaws in held-out scans are told apart.

    python evaluate.py --model FOLDER --holdout FILE --out FOLDER

The hold-out is one zip archive of PNG files in folders named after their class.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx_model
import pictures
import results


def main(arguments: Sequence[str] | None = None) -> None:
    """Evaluate what the command line names; the loss of a scan is its log loss."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--holdout", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    features, classes = pictures.read_zip(options.holdout)
    if not set(classes) <= set(pictures.CLASSES):
        sys.exit(f"failed: the folders of the hold-out must be named {', '.join(pictures.CLASSES)}")
    probabilities = onnx_model.probabilities(onnx_model.load(options.model), features)
    truth = np.searchsorted(pictures.CLASSES, classes)
    right = probabilities[np.arange(len(truth)), truth].astype(np.float64)
    losses = -np.log(np.clip(right, np.finfo(np.float32).eps, 1.0))
    found = np.argmax(probabilities, axis=1)
    flawed = truth != pictures.CLASSES.index("clean")
    metrics = {
        "accuracy": float(np.mean(found == truth)),
        "log_loss": float(np.mean(losses)),
        "flaws_found": float(np.mean(found[flawed] != pictures.CLASSES.index("clean"))),
    }
    results.write(options.out, metrics, losses.tolist(), classes)
    print(f"evaluated on {len(classes)} scans")


if __name__ == "__main__":
    main()
