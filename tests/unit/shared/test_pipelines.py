from pathlib import Path

import pytest
import yaml

from shared.decisions.planning import plan_of
from shared.errors import Code, PermanentError
from shared.pipelines import Pipeline, Pipelines, parse_pipeline

GOOD = """
name: churn
data: {site: factory, container: churn, prefix: landing/, pattern: "*.csv", holdout: holdout/holdout.csv}
train: {folder: churn, compute: hub-vm, parameters: {c: 1.5}}
judge: {metric: accuracy, floor: 0.9}
deliver: {model: churn, targets: [{name: hub-vm}]}
"""


def changed(path: str, value: object) -> str:
    raw = yaml.safe_load(GOOD)
    *folders, last = path.split(".")
    part = raw
    for folder in folders:
        part = part[folder]
    if value is None:
        del part[last]
    else:
        part[last] = value
    return yaml.safe_dump(raw)


def test_a_short_file_is_enough_and_the_rest_has_defaults() -> None:
    pipeline = parse_pipeline(GOOD, source="churn.yaml")

    assert pipeline.settle.quiet_seconds == 30
    plan = plan_of(pipeline)
    assert (plan.compute, plan.rule.higher_is_better, plan.targets[0].name) == ("hub-vm", True, "hub-vm")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (changed("train.folder", None), "churn.yaml: train.folder: Field required"),
        (changed("judge.floor", "high"), "judge.floor: Input should be a valid number"),
        (changed("judge.flor", 1), "judge.flor: Extra inputs are not permitted"),
        (changed("name", "Has Spaces"), "name: String should match pattern"),
        (changed("train.folder", "../etc"), "train.folder: String should match pattern"),
        (changed("deliver.targets", []), "deliver.targets: Tuple should have at least 1 item"),
        (changed("deliver.targets", [{"name": "a"}, {"name": "a"}]), "each name only once"),
        ("name: [", "not valid YAML"),
        ("- a list", "must be a mapping"),
        ("", "must be a mapping"),
    ],
)
def test_a_bad_file_names_the_field(text: str, says: str) -> None:
    with pytest.raises(PermanentError) as caught:
        parse_pipeline(text, source="churn.yaml")

    assert says in caught.value.reason
    assert caught.value.reason.startswith("churn.yaml: ")
    assert caught.value.code is Code.BAD_PIPELINE


def test_a_broken_file_does_not_take_the_others_down(tmp_path: Path) -> None:
    (tmp_path / "churn.yaml").write_text(GOOD)
    (tmp_path / "broken.yaml").write_text("name: [")
    (tmp_path / "other.yaml").write_text(GOOD)

    pipelines = Pipelines(tmp_path)

    assert [pipeline.name for pipeline in pipelines.all] == ["churn"]
    assert "must be the file's name 'other'" in pipelines.broken["other"]
    with pytest.raises(PermanentError, match="not valid YAML"):
        pipelines.get("broken")
    with pytest.raises(PermanentError, match="there is no pipeline 'nobody'; known: churn") as caught:
        pipelines.get("nobody")
    assert caught.value.code is Code.UNKNOWN_PIPELINE


def test_the_model_writes_the_schema_that_editors_use() -> None:
    schema = Pipeline.model_json_schema()

    assert schema["required"] == ["name", "data", "train", "judge", "deliver"]
    assert schema["additionalProperties"] is False
