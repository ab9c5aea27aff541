from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from shared.decisions.admission.run_plan import plan_of
from shared.errors import Code, PermanentError
from shared.messages import QueuePolicy, QueueRule
from shared.pipelines import Latest, Pipeline, Pipelines, parse_pipeline
from tests.support.jobs import A_FROZEN_JOB

GOOD = """
name: churn
data: {site: factory, container: churn, prefix: landing/, pattern: "*.csv", holdout: holdout/holdout.csv, format: files}
train:
  folder: churn
  compute: hub-vm
  command: python train.py --data ${{inputs.data}} --model ${{outputs.model}} -c ${{parameters.c}}
  parameters: {c: 1.5}
evaluate: {command: "python evaluate.py ${{inputs.model}} ${{inputs.holdout}} ${{outputs.evaluation}}"}
judge: {metric: accuracy, floor: 0.9}
deliver: {model: churn, targets: [{name: hub-vm}]}
"""


def changed(path: str, value: object) -> str:
    raw = yaml.safe_load(GOOD)
    *folders, last = path.split(".")
    part = raw
    for folder in folders:
        part = part.setdefault(folder, {})
    if value is None:
        del part[last]
    else:
        part[last] = value
    return yaml.safe_dump(raw)


def test_a_short_file_is_enough_and_the_rest_has_defaults() -> None:
    pipeline = parse_pipeline(GOOD, source="churn.yaml")

    assert pipeline.settle.quiet_seconds == 30
    plan = plan_of(pipeline, A_FROZEN_JOB)
    assert (plan.compute, plan.rule.higher_is_better, plan.targets[0].name) == ("hub-vm", True, "hub-vm")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (changed("train.folder", None), "churn.yaml: train.folder: is missing"),
        (changed("judge.floor", "high"), "judge.floor: must be a number"),
        (changed("judge.flor", 1), "judge.flor: is not a field"),
        (changed("name", "Has Spaces"), "churn.yaml: name: must be 1 to 48 lower-case letters"),
        (changed("train.folder", "../etc"), "train.folder: must be lower-case letters"),
        (changed("deliver.targets", []), "deliver.targets: must have at least 1 item"),
        (
            changed("deliver.targets", [{"name": "a"}, {"name": "a"}]),
            "churn.yaml: deliver.targets: a name is there twice",
        ),
        (changed("data.container", "edgetrain-manifests"), "data.container: must not be edgetrain-manifests"),
        (changed("data.prefix", "landing"), "data.prefix: must end in a slash; write landing/"),
        (changed("data.prefix", "/landing/"), "data.prefix: must not start with a slash; write landing/"),
        (changed("data.holdout", "hold\\out.csv"), "data.holdout: must not contain a backslash; write hold/out.csv"),
        (changed("data.holdout", ""), "data.holdout: must have at least 1 character"),
        (changed("data.select", "newest"), "must be all, new, or {latest: N} such as {latest: 5}, not 'newest'"),
        (changed("data.select", {"newest": 5}), "must be all, new, or {latest: N} such as {latest: 5}"),
        (changed("data.select", {"latest": 0}), "data.select: latest must be a whole number from 1 to 10000, not 0"),
        (changed("data.select", {"latest": True}), "latest must be a whole number from 1 to 10000, not True"),
        (changed("settle.done_marker", "/done"), "settle.done_marker: must not start with a slash; write done"),
        (changed("settle.done_marker", "a\\done"), "settle.done_marker: must not contain a backslash; write a/done"),
        (changed("settle.done_marker", ""), "settle.done_marker: must have at least 1 character"),
        (changed("settle.least_files", 0), "settle.least_files: must be greater than or equal to 1"),
        (
            changed("train.queue.policy", "last"),
            "train.queue.policy: must be 'queue', 'latest-wins' or 'reject'",
        ),
        (changed("train.quarantine_after", 0), "train.quarantine_after: must be greater than or equal to 1"),
        (changed("retrain_every", "0 3 * *"), "retrain_every: has 4 fields; write five fields"),
        (
            changed("retrain_every", "61 3 * * 1"),
            "retrain_every: is not a cron expression (Bad minute); write five fields",
        ),
        (changed("retrain_every", "0 0 31 4 *"), "retrain_every: is not a cron expression (Bad day-of-month)"),
        ("retrain_every: */5 * * * *", "not valid YAML"),
        ("retrain_every: */5 * * * *", "put a value that starts with * in quotes"),
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


@pytest.mark.parametrize(
    ("path", "most", "says"),
    [
        (
            "deliver.targets",
            [{"name": f"vm-{number}"} for number in range(20)],
            "deliver.targets: must have at most 20",
        ),
        ("deliver.strategy.steps", [*range(5, 55, 5)], "deliver.strategy.steps: must have at most 10 items"),
    ],
)
def test_a_pipeline_may_have_as_many_as_the_page_of_limits_says(path: str, most: list[object], says: str) -> None:
    more = [*most, {"name": "one-more"} if path == "deliver.targets" else 99]

    parse_pipeline(changed(path, most), source="churn.yaml")
    with pytest.raises(PermanentError, match=says):
        parse_pipeline(changed(path, more), source="churn.yaml")


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

    assert schema["required"] == ["name", "data", "train", "evaluate", "judge", "deliver"]
    assert schema["additionalProperties"] is False


def test_what_a_pipeline_asks_of_the_queue_goes_into_the_plan() -> None:
    text = changed("train.queue", {"policy": "latest-wins", "priority": 7})
    plan = plan_of(parse_pipeline(text, source="churn.yaml"), A_FROZEN_JOB)
    assert plan.queue == QueueRule(policy=QueuePolicy.LATEST_WINS, priority=7)
    assert plan.quarantine_after == 3
    patient = parse_pipeline(changed("train.quarantine_after", 5), source="churn.yaml")
    assert plan_of(patient, A_FROZEN_JOB).quarantine_after == 5


@pytest.mark.parametrize(("value", "means"), [("all", "all"), ("new", "new"), ({"latest": 5}, Latest(latest=5))])
def test_a_selection_is_a_word_or_a_number_of_files(value: object, means: object) -> None:
    assert parse_pipeline(changed("data.select", value), source="churn.yaml").data.select == means


def test_the_holdout_may_lie_with_the_data_but_may_not_be_the_marker() -> None:
    with_the_data = changed("data.holdout", "landing/h.csv")
    assert parse_pipeline(with_the_data, source="churn.yaml").data.holdout == "landing/h.csv"

    raw = yaml.safe_load(with_the_data) | {"settle": {"done_marker": "h.csv"}}
    with pytest.raises(PermanentError) as caught:
        parse_pipeline(yaml.safe_dump(raw), source="churn.yaml")
    assert caught.value.reason == (
        "churn.yaml: settle.done_marker: names the hold-out, which is data; give the marker a name of its own"
    )


@given(st.sampled_from(["data.prefix", "data.holdout", "settle.done_marker"]), st.text("a/\\.*", max_size=6))
def test_names_of_blobs_are_taken_as_they_are_or_refused(field: str, name: str) -> None:
    try:
        pipeline = parse_pipeline(changed(field, name), source="churn.yaml")
    except PermanentError as error:
        assert error.reason.startswith(f"churn.yaml: {field}: ")  # noqa: PT017 - either outcome is fine
        return
    part, last = field.split(".")
    assert getattr(getattr(pipeline, part), last) == name
    assert "\\" not in name
    assert not name.startswith("/")
