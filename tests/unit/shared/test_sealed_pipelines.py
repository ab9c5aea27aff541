"""What a pipeline's file says about sealed training."""

from typing import Any

import pytest
import yaml

from shared.decisions.admission.run_plan import plan_of
from shared.errors import Code, PermanentError
from shared.messages import Certainty, Column, ColumnKind, DataFormat, ModelFormat, Plan, Resources
from shared.pipelines import Pipeline, parse_pipeline
from tests.support.jobs import A_FROZEN_JOB

TRAIN = "python train.py --data ${{inputs.data}} --model ${{outputs.model}} -a ${{parameters.alpha}}"
EVALUATE = "python evaluate.py --model ${{inputs.model}} --rows ${{inputs.holdout}} --out ${{outputs.evaluation}}"
GOOD: dict[str, Any] = {
    "name": "churn",
    "data": {
        "site": "factory",
        "container": "churn",
        "holdout": "holdout.csv",
        "columns": {
            "age": {"kind": "integer", "least": 0, "most": 120},
            "left": {"kind": "text", "values": ["y", "n"]},
        },
    },
    "train": {"folder": "churn", "compute": "hub-vm", "command": TRAIN, "parameters": {"alpha": 0.5}},
    "evaluate": {"command": EVALUATE},
    "judge": {"metric": "log_loss", "direction": "lower", "floor": 0.9},
    "deliver": {"model": "churn", "targets": [{"name": "hub-vm"}]},
}


def parsed(**changes: Any) -> Pipeline:
    """The pipeline with some fields changed; a name such as ``train__command`` leads into a part."""
    raw = yaml.safe_load(yaml.safe_dump(GOOD))
    for path, value in changes.items():
        *folders, last = path.split("__")
        part = raw
        for folder in folders:
            part = part.setdefault(folder, {})
        if value is None:
            del part[last]
        else:
            part[last] = value
    return parse_pipeline(yaml.safe_dump(raw), source="churn.yaml")


def planned(**changes: Any) -> Plan:
    return plan_of(parsed(**changes), A_FROZEN_JOB)


def test_commands_and_what_they_may_use_go_into_the_plan() -> None:
    workload = planned().workload

    assert workload is not None
    assert (workload.train, workload.evaluate) == (TRAIN, EVALUATE)
    assert workload.resources == Resources()
    assert (workload.data_format, workload.model_format) == (DataFormat.CSV, ModelFormat.SAFE)
    assert workload.columns["age"] == Column(kind=ColumnKind.INTEGER, least=0, most=120)
    assert workload.columns["left"].values == ("y", "n")


def test_limits_formats_and_certainty_go_into_the_plan() -> None:
    plan = planned(
        data__format="files",
        data__columns=None,
        train__resources={"memory": "512m", "cpus": 1, "gpus": 1, "disk": "2g"},
        model={"format": "pickle"},
        judge__certainty={"tolerance": 0.01},
    )

    assert plan.workload is not None
    assert plan.workload.resources == Resources(memory="512m", cpus=1, gpus=1, disk="2g")
    assert (plan.workload.data_format, plan.workload.model_format) == (DataFormat.FILES, ModelFormat.PICKLE)
    assert plan.rule.certainty == Certainty(level=0.95, tolerance=0.01)


def test_a_command_may_be_written_on_several_lines() -> None:
    workload = planned(train__command=TRAIN.replace(" ", "\n ") + "\n").workload

    assert workload is not None
    assert workload.train == TRAIN


def test_dates_of_yaml_are_dates() -> None:
    found = parse_pipeline(
        yaml.safe_dump(GOOD)
        .replace("kind: integer", "kind: date")
        .replace("least: 0", "least: 2020-01-01")
        .replace("most: 120", "most: 2030-12-31"),
        source="churn.yaml",
    )

    assert (found.data.columns["age"].least, found.data.columns["age"].most) == ("2020-01-01", "2030-12-31")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"train__command": f"{TRAIN} 'open"}, "train.command: has a quote"),
        ({"train__command": TRAIN.replace("outputs.model", "outputs.modle")}, "${{outputs.modle}}, which is unknown"),
        (
            {"train__command": TRAIN.replace("alpha", "beta")},
            "uses parameters.beta, which train.parameters",
        ),
        ({"evaluate__command": TRAIN}, "evaluate.command: has ${{inputs.data}}, which only train.command may have"),
        ({"evaluate__command": EVALUATE.replace("${{outputs.evaluation}}", "x")}, "lacks ${{outputs.evaluation}}"),
        ({"evaluate": None}, "evaluate: is missing"),
        ({"train__command": None}, "train.command: is missing"),
        ({"train__command": f"{TRAIN}{' x' * 1000}"}, "train.command: must have at most 2000 characters"),
        ({"train__parameters": {"alpha": 1, "unused": 2}}, "train.parameters: no command uses unused"),
        ({"train__parameters": {"alpha": "a\0b"}}, "train.parameters: have a text with a NUL character"),
        ({"train__resources": {"memory": "4GB"}}, "train.resources.memory: must be a whole number with m or g"),
        ({"train__resources": {"cpus": 0}}, "train.resources.cpus: must be greater than 0"),
        ({"data__columns": None}, "data.columns: are missing"),
        ({"data__columns": {}}, "data.columns: are missing"),
        ({"data__format": "parquet"}, "data.format: must be 'csv' or 'files'"),
        ({"data__format": "files"}, "data.columns: are checked in CSV files only"),
        ({"data__columns": {"a": {"kind": "float"}}}, "data.columns.a.kind: must be"),
        ({"data__columns": {"a": {"kind": "text", "least": "b"}}}, "data.columns.a: least: texts have no order"),
        ({"data__columns": {"a": {"kind": "integer", "least": 1.5}}}, "data.columns.a: least: 1.5 is no integer"),
        ({"data__columns": {"a": {"kind": "integer", "values": [True]}}}, "data.columns.a"),
        ({"data__columns": {"a": {"kind": "date", "most": "soon"}}}, "most: 'soon' is no date"),
        ({"data__columns": {"a": {"kind": "number", "least": 2, "most": 1}}}, "least: 2 is above most, 1"),
        ({"data__columns": {"a": {"kind": "number", "least": 2, "values": [3]}}}, "values: cannot go with least"),
        ({"data__columns": {f"c{n}": {"kind": "number"} for n in range(300)}}, "at most 12000 are taken"),
        ({"model": {"format": "onnx"}}, "model.format: must be 'safe' or 'pickle'"),
        ({"judge__certainty": {"level": 1.0}}, "judge.certainty.level: must be less than or equal to 0.999"),
    ],
)
def test_what_is_wrong_is_named_by_its_field(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(PermanentError) as caught:
        parsed(**changes)

    assert says in caught.value.reason
    assert caught.value.code is Code.BAD_PIPELINE
