"""The template for numbers in CSV, with a small model."""

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skops.io.exceptions import UntrustedTypesFoundException

from tests.support.training_folders import folder_modules

tabular, model_files = folder_modules("common", "tabular", "model_files")

COLUMNS = tabular.Columns(features=("a", "b"), label="kind", classes=(0, 1))
DEFAULTS = {"inverse_regularisation": 0.3}
TEXT = "a,b,kind\n1,2.5,0\n-3,4e2,1\n2,2,0\n-4,300,1\n"


def fit(features: Any, labels: Any, parameters: Mapping[str, float]) -> Any:
    regression = LogisticRegression(C=parameters["inverse_regularisation"])
    return make_pipeline(StandardScaler(), regression).fit(features, labels)


def measure(model: Any, features: Any, labels: Any) -> Any:
    losses = tabular.log_losses(model.predict_proba(features), labels, COLUMNS.classes)
    return tabular.Measures(metrics={"log_loss": float(losses.mean())}, losses=losses, slices=["one"] * len(labels))


def trained(place: Path, *texts: str, options: tuple[str, ...] = ()) -> Path:
    data, model = place / "data", place / "model"
    for number, text in enumerate(texts):
        path = data / "landing" / f"{number}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    data.mkdir(exist_ok=True)
    model.mkdir()
    tabular.train(fit, COLUMNS, DEFAULTS, ["--data", str(data), "--model", str(model), *options])
    return model


def evaluated(place: Path, model: Path, text: str) -> Path:
    holdout, out = place / "holdout.csv", place / "out"
    holdout.write_text(text)
    out.mkdir()
    tabular.evaluate(measure, COLUMNS, ["--model", str(model), "--holdout", str(holdout), "--out", str(out)])
    return out


def test_a_model_is_trained_and_evaluated(tmp_path: Path) -> None:
    out = evaluated(tmp_path, trained(tmp_path, TEXT), TEXT)

    header, *rows = csv.reader(io.StringIO((out / "rows.csv").read_text()))
    losses = [float(loss) for loss, _ in rows]
    assert (header, len(rows)) == (["loss", "slice"], 4)
    assert json.loads((out / "metrics.json").read_text())["log_loss"] == pytest.approx(np.mean(losses))


def test_a_parameter_is_an_option(tmp_path: Path) -> None:
    model = model_files.load(trained(tmp_path, TEXT, options=("--inverse-regularisation", "2")))

    assert model[-1].C == 2.0


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "many", ""])
def test_a_parameter_is_a_number_above_zero(value: str, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        trained(tmp_path, TEXT, options=("--inverse-regularisation", value))
    assert ended.value.code == 2


def test_columns_may_come_in_any_order_and_with_others(tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_bytes('\ufeffkind, b,note,a\r\n1,2,"x, y",3\r\n0,4,,5\r\n'.encode())

    features, labels = tabular.read_file(path, COLUMNS)

    assert (features.tolist(), labels.tolist()) == ([[3, 2], [5, 4]], [1, 0])


def test_files_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name, value in (("b/1.csv", 2), ("a/2.csv", 1), ("c.csv", 3)):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"a,b,kind\n{value},0,1\n")

    assert tabular.read_folder(tmp_path, COLUMNS)[0][:, 0].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        ([], "there are no files"),
        (["a,kind\n1,0\n"], "1 columns are missing in a file, the first one is 'b'"),
        (["a,b,kind\n1,2,0\n"], "none of the class with label 1"),
        ([TEXT, "a,b,kind\n1,2,7\n"], "a label that is none of 0, 1"),
    ],
)
def test_what_cannot_be_trained_on_is_said(texts: list[str], reason: str, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        trained(tmp_path, *texts)
    assert str(ended.value.code).startswith("failed: ")
    assert reason in str(ended.value.code)


def test_a_hold_out_of_one_class_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="rows of one class only"):
        evaluated(tmp_path, trained(tmp_path, TEXT), "a,b,kind\n1,2,0\n")


def test_a_model_of_other_classes_is_refused(tmp_path: Path) -> None:
    model_files.save(LogisticRegression().fit([[1, 2], [3, 4]], [0, 2]), tmp_path)

    with pytest.raises(SystemExit, match="other classes"):
        evaluated(tmp_path, tmp_path, TEXT)


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 1)), min_size=1))
def test_the_mean_of_the_losses_is_the_log_loss(rows: list[tuple[float, int]]) -> None:
    probabilities = np.array([[1 - share, share] for share, _ in rows])
    labels = np.array([label for _, label in rows])

    losses = tabular.log_losses(probabilities, labels, (0, 1))

    assert losses.mean() == pytest.approx(log_loss(labels, probabilities, labels=[0, 1]), abs=1e-9)


def test_a_saved_model_is_the_same_and_has_no_trace_of_time_or_place(tmp_path: Path) -> None:
    chance = np.random.default_rng(1)
    features, labels = chance.normal(size=(60, 3)), chance.integers(0, 2, 60)
    files = []
    for name in ("one", "two"):
        model = make_pipeline(StandardScaler(), GradientBoostingClassifier(n_estimators=3, random_state=0))
        (tmp_path / name).mkdir()
        model_files.save(model.fit(features, labels), tmp_path / name)
        files.append((tmp_path / name / model_files.FILE).read_bytes())

    assert files[0] == files[1]
    again = model_files.load(tmp_path / "one", extra_types=["sklearn.tree._tree.Tree"])
    assert (again.predict_proba(features) == model.predict_proba(features)).all()


def test_a_class_that_nobody_trusts_is_not_loaded(tmp_path: Path) -> None:
    model_files.save(make_pipeline(Odd()), tmp_path)

    with pytest.raises(UntrustedTypesFoundException, match="Odd"):
        model_files.load(tmp_path)


class Odd:
    def fit(self, features: Any, labels: Any) -> None:
        """It learns nothing."""
