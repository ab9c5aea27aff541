import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from site_agent.job.failures import TrainingError
from site_agent.job.guard.metrics import BITS_OF_A_VALUE, is_name, read_metrics, rounded


def evaluation(folder: Path, metrics: object) -> Path:
    (folder / "metrics.json").write_text(metrics if isinstance(metrics, str) else json.dumps(metrics))
    return folder


def logged(folder: Path, run: str, name: str, lines: str) -> None:
    file = folder / "mlruns" / "0" / run / "metrics" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(lines)


def test_metrics_have_six_digits(tmp_path: Path) -> None:
    found = read_metrics(evaluation(tmp_path, {"loss": 0.123456789, "rows": 114}), None, judged="loss", most=64)

    assert found.numbers == {"loss": 0.123457, "rows": 114.0}


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_value_has_no_more_bits_than_the_documents_say(value: float) -> None:
    short = rounded(value)

    assert short == rounded(short)
    assert len(f"{abs(short):.17g}".partition("e")[0].replace(".", "").strip("0")) <= 17
    assert float(f"{short:.6g}") == short
    assert BITS_OF_A_VALUE == 31


@pytest.mark.parametrize(
    "document",
    [
        [],
        {"loss": "0.1"},
        {"loss": True},
        {"loss": None},
        {"loss": [0.1]},
        {"17.99,10.38": 1},
        {"a b": 1},
        {"": 1},
        {"x" * 65: 1},
        {"id_1234567": 1},
        {"Zürich": 1},
        '{"loss": NaN}',
        '{"loss": 1e999}',
        "{",
        "[" * 100_000,
        {"loss": 10**400},
    ],
)
def test_what_is_no_flat_object_of_finite_numbers_is_refused(tmp_path: Path, document: object) -> None:
    with pytest.raises(TrainingError) as refused:
        read_metrics(evaluation(tmp_path, document), None, judged="loss", most=64)

    assert "17.99" not in str(refused.value)


def test_the_judged_metric_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(TrainingError):
        read_metrics(evaluation(tmp_path, {"accuracy": 0.9}), None, judged="loss", most=64)


def test_no_metrics_at_all_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError):
        read_metrics(tmp_path, None, judged="loss", most=64)


def test_the_judged_metric_is_kept_when_there_are_too_many(tmp_path: Path) -> None:
    many = {f"m{number}": 1.0 for number in range(30)} | {"zz": 2.0}

    found = read_metrics(evaluation(tmp_path, many), None, judged="zz", most=10)

    assert len(found.numbers) == 10
    assert found.numbers["zz"] == 2.0
    assert found.left_out == 21


def test_what_mlflow_logged_is_read_with_its_newest_value(tmp_path: Path) -> None:
    train, evaluate = tmp_path / "train", tmp_path / "evaluate"
    logged(train, "one", "training_accuracy_score", "1700000000000 0.5 0\n1700000000001 0.75 1\n")
    logged(evaluate, "two", "loss", "1700000000002 0.25 0\n")

    found = read_metrics(evaluate, train, judged="loss", most=64)

    assert found.numbers == {"training_accuracy_score": 0.75, "loss": 0.25}


def test_metrics_json_counts_more_than_what_was_logged(tmp_path: Path) -> None:
    logged(tmp_path, "one", "loss", "1 0.5 0\n")

    assert read_metrics(evaluation(tmp_path, {"loss": 0.1}), None, judged="loss", most=64).numbers == {"loss": 0.1}


def test_what_mlflow_keeps_besides_metrics_is_never_read(tmp_path: Path) -> None:
    logged(tmp_path, "one", "loss", "1 0.5 0\n")
    for kind in ("params", "tags", "artifacts"):
        other = tmp_path / "mlruns" / "0" / "one" / kind / "note"
        other.parent.mkdir()
        other.write_text("1 17.99 0\n")

    assert read_metrics(tmp_path, None, judged="loss", most=64).numbers == {"loss": 0.5}


@pytest.mark.parametrize("lines", ["", "x", "1 nan 0\n", "1 inf 0\n", "1\n", "1 0.5 0\nx y z\n"])
def test_what_is_no_number_in_a_history_is_left_out(tmp_path: Path, lines: str) -> None:
    logged(tmp_path, "one", "other", lines)
    logged(tmp_path, "one", "loss", "1 0.5 0")

    found = read_metrics(tmp_path, None, judged="loss", most=64)

    assert found.numbers == {"loss": 0.5}
    assert found.left_out == 1


def test_links_in_the_folder_of_mlflow_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("1 17.99 0\n")
    inside = tmp_path / "evaluation"
    logged(inside, "one", "loss", "1 0.5 0\n")
    (inside / "mlruns" / "0" / "one" / "metrics" / "leak").symlink_to(secret)
    (inside / "mlruns" / "1").symlink_to(tmp_path)

    assert read_metrics(inside, None, judged="loss", most=64).numbers == {"loss": 0.5}


def test_a_link_in_place_of_metrics_json_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text('{"loss": 1}')
    (tmp_path / "evaluation").mkdir()
    (tmp_path / "evaluation" / "metrics.json").symlink_to(tmp_path / "other.json")

    with pytest.raises(TrainingError):
        read_metrics(tmp_path / "evaluation", None, judged="loss", most=64)


@given(st.text(max_size=80))
def test_names_are_short_ascii_words(name: str) -> None:
    if is_name(name):
        assert name.isascii()
        assert 1 <= len(name) <= 64
        assert not math.isfinite(_as_number(name))


def _as_number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
