"""Patients with diabetes, as Parquet tables: scikit-learn's diabetes data, made richer. Repeatable.

The data set has 442 patients with ten numbers and how far their disease progressed in a year. From it, this makes what
the tables of a clinic look like:

1. The 442 patients are shuffled and split once: 100 for the hold-out, 342 to train on. Nobody is in both.
2. A table is made of visits: a patient is drawn, and each number is measured again, with an error of a twentieth of the
   number's spread; so are age and progression. Laboratory values are missing in one of twelve.
3. ``sex`` becomes a text. The data set does not say which of its two codes is which, so the names are made up here.
4. ``smoker`` and ``activity`` are drawn: inactive people more often where the body mass index is high. They shift
   ``progression``, so that a model is better for using them. One in ten did not answer.

The bad drop has patients whose progression was shuffled among them.
"""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.datasets import load_diabetes

SEED = 7
HELD_OUT_PATIENTS = 100
HOLDOUT_BLOB = "holdout/holdout.parquet"
TARGET = "progression"

_COLUMNS = (
    "age",
    "sex",
    "bmi",
    "blood_pressure",
    "total_cholesterol",
    "ldl",
    "hdl",
    "cholesterol_ratio",
    "log_triglycerides",
    "glucose",
)
_LABORATORY = _COLUMNS[4:]
_DECIMALS = {"age": 0, "log_triglycerides": 4, TARGET: 0}  # of the others 1
_SEXES = {1.0: "female", 2.0: "male"}
_SMOKERS = {"never": -4.0, "former": 2.0, "current": 18.0}  # by how much each shifts the progression
_ACTIVITIES = {"high": -12.0, "moderate": 0.0, "low": 10.0}
_UNANSWERED = 0.1
_UNMEASURED = 1 / 12


def tables(sizes: Sequence[int]) -> tuple[pd.DataFrame, list[pd.DataFrame], pd.DataFrame]:
    """The hold-out, tables to train on, and a bad one; ``sizes`` are the visits in each of them, in that order."""
    chance = np.random.default_rng(SEED)
    raw = load_diabetes(scaled=False)
    whole = pd.DataFrame(raw.data, columns=list(_COLUMNS)).assign(**{TARGET: raw.target})
    order = chance.permutation(len(whole))
    held_out, rest = whole.iloc[order[:HELD_OUT_PATIENTS]], whole.iloc[order[HELD_OUT_PATIENTS:]]
    first, *between, last = sizes
    holdout = _visits(held_out, first, chance)
    training = [_visits(rest, size, chance) for size in between]
    bad = _visits(rest, last, chance)
    return holdout, training, bad.assign(**{TARGET: chance.permutation(bad[TARGET])})


def parquet(table: pd.DataFrame) -> bytes:
    """The table as a Parquet file."""
    into = io.BytesIO()
    table.to_parquet(into, engine="pyarrow", index=False)
    return into.getvalue()


def requests(table: pd.DataFrame) -> dict[str, Any]:
    """The question about each row, as the deployed model takes it."""
    asked = table.drop(columns=TARGET).astype(object)
    return {"patients": asked.where(asked.notna(), None).to_dict("records")}


def _visits(patients: pd.DataFrame, count: int, chance: np.random.Generator) -> pd.DataFrame:
    visits = patients.iloc[chance.integers(len(patients), size=count)].reset_index(drop=True)
    sex = visits.pop("sex").map(_SEXES)
    visits += chance.normal(size=visits.shape) * patients[visits.columns].std().to_numpy() / 20
    smoker = chance.choice(list(_SMOKERS), size=count, p=[0.55, 0.25, 0.2])
    heavy = (visits["bmi"] > visits["bmi"].median()).to_numpy()
    activity = np.where(heavy, _activity(chance, count, [0.15, 0.35, 0.5]), _activity(chance, count, [0.45, 0.35, 0.2]))
    visits[TARGET] += [_SMOKERS[one] + _ACTIVITIES[other] for one, other in zip(smoker, activity, strict=True)]
    visits = visits.round({name: _DECIMALS.get(name, 1) for name in visits})
    for name in _LABORATORY:
        visits.loc[chance.random(count) < _UNMEASURED, name] = np.nan
    visits.insert(1, "sex", sex)
    visits.insert(2, "smoker", _answered(smoker, chance))
    visits.insert(3, "activity", _answered(activity, chance))
    return visits


def _activity(chance: np.random.Generator, count: int, shares: list[float]) -> NDArray[np.str_]:
    return chance.choice(list(_ACTIVITIES), size=count, p=shares)


def _answered(texts: NDArray[np.str_], chance: np.random.Generator) -> Any:
    answers = pd.Series(texts, dtype="str")
    return answers.mask(chance.random(len(texts)) < _UNANSWERED)
