"""How far the predictions are from what happened to the held-out patients.

python evaluate.py --model FOLDER --holdout FILE --out FOLDER
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import model_files
import patients
import results
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error


def main(arguments: Sequence[str] | None = None) -> None:
    """Evaluate what the command line names; the loss of a row is its absolute error."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--holdout", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    table = patients.read([options.holdout])
    truth = table[patients.TARGET].to_numpy()
    model = model_files.load(options.model, extra_types=patients.EXTRA_TYPES)
    predicted = model.predict(patients.inputs(table))
    metrics = {
        "mean_absolute_error": float(mean_absolute_error(truth, predicted)),
        "root_mean_squared_error": float(root_mean_squared_error(truth, predicted)),
        "r2": float(r2_score(truth, predicted)),
    }
    results.write(options.out, metrics, abs(truth - predicted).tolist(), table[patients.SLICE].tolist())
    print(f"evaluated on {len(table)} patients")


if __name__ == "__main__":
    main()
