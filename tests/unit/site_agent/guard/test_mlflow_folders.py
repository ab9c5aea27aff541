"""Models as MLflow saves them: a folder with the model and YAML files that say how to load it."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from site_agent.job.guard import box
from tests.support.egress import EgressRun, an_array

SIGNATURE = [{"type": "double", "name": f"worst_{number}_of_the_measurements", "required": True} for number in range(9)]


def an_mlmodel(signature: Any) -> str:
    flavors = {"sklearn": {"pickled_model": "model.skops", "sklearn_version": "1.7.2"}}
    document = {"flavors": flavors, "mlflow_version": "3.17.2", "signature": {"inputs": json.dumps(signature)}}
    return yaml.safe_dump(document)


@pytest.fixture
def run(tmp_path: Path) -> EgressRun:
    run = EgressRun(tmp_path / "run")
    (run.model / "trained_model").mkdir()
    (run.model / "trained_model" / "weights.npy").write_bytes(an_array([[0.5, -0.25]]))
    return run


def left_of(run: EgressRun) -> set[str]:
    run.release()
    return {name for name in run.left() if name.startswith("model/")}


def test_the_columns_of_a_signature_may_be_many(run: EgressRun) -> None:
    (run.model / "trained_model" / "MLmodel").write_text(an_mlmodel(SIGNATURE))

    assert left_of(run) == {"model/trained_model/weights.npy", "model/trained_model/MLmodel"}


@pytest.mark.parametrize(
    "signature",
    [
        "the patient in room 7 " * 20,
        [{"name": "the patient in room 7 " * 20}],
        json.dumps([json.dumps(SIGNATURE)] * 2),
        "[" * 300 + "]" * 300,
    ],
    ids=["text", "text in JSON", "JSON in JSON", "deep"],
)
def test_a_long_text_in_it_is_held_back(run: EgressRun, signature: Any) -> None:
    (run.model / "trained_model" / "MLmodel").write_text(an_mlmodel(signature))

    assert left_of(run) == {"model/trained_model/weights.npy"}


def test_rows_in_a_signature_are_found(run: EgressRun) -> None:
    examples = [{"row": row} for row in run.table[:30].tolist()]
    (run.model / "trained_model" / "MLmodel").write_text(an_mlmodel(examples))

    with pytest.raises(Exception, match="training rows"):
        run.release()


def test_in_the_box_a_file_that_does_not_leave_is_no_trouble(run: EgressRun) -> None:
    (run.model / "trained_model" / "requirements.txt").write_text("scikit-learn==1.7.2\n")
    request = {"files": [], "all_rows": True, "least_rows": 20, "extra_types": [], "declared": {}}

    assert box.answer(request, run.model, run.data)["findings"] == []
