"""How far diabetes progresses in a year: gradient boosting on measurements, texts and what is missing of them.

    python train.py --data FOLDER --model FOLDER [--learning-rate RATE] [--rounds ROUNDS]

Reads the Parquet files of a folder. The same rows in the same order give the same model.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import model_files
import pandas as pd
import patients
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder


def fit(table: pd.DataFrame, *, learning_rate: float, rounds: int) -> Pipeline:
    """Trees of few leaves, because a clinic has hundreds of patients and not millions."""
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = ColumnTransformer(
        [("texts", encoder, list(patients.TEXTS)), ("numbers", "passthrough", list(patients.NUMBERS))]
    )
    boosting = HistGradientBoostingRegressor(
        learning_rate=learning_rate, max_iter=rounds, max_leaf_nodes=8, min_samples_leaf=20, max_bins=63, random_state=0
    )
    return make_pipeline(columns, boosting).fit(patients.inputs(table), table[patients.TARGET])


def main(arguments: Sequence[str] | None = None) -> None:
    """Train on what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--learning-rate", type=float, default=0.1)
    parser.add_argument("--rounds", type=int, default=60)
    options = parser.parse_args(arguments)
    table = patients.read(sorted(options.data.rglob("*.parquet")))
    print(f"training on {len(table)} patients")
    model_files.save(fit(table, learning_rate=options.learning_rate, rounds=options.rounds), options.model)


if __name__ == "__main__":
    main()
