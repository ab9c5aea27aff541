"""The parts of `edgetrain try` that need no container: the order, the policy, the files, what is shown."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from cli.trial.local_inputs import local_inputs
from cli.trial.orders import chosen_parameters, order_of, policy_of
from cli.trial.podman import find_podman
from cli.trial.script_output import ScriptOutput
from shared.errors import PermanentError
from shared.pipelines import Pipeline, parse_pipeline
from site_agent.job.failures import DataError
from site_agent.job.order import Order
from site_agent.job.policy import PolicyError, PolicyRefusedError

IMAGE = f"localhost/scoring/churn@sha256:{'0' * 64}"
PIPELINE = """
name: churn
data:
  {site: factory, container: churn, prefix: landing/, pattern: "*.csv", holdout: landing/holdout.csv, COLUMNS}
settle: {done_marker: done.csv}
train:
  folder: churn
  compute: hub-vm
  command: python train.py ${{inputs.data}} ${{outputs.model}} ${{parameters.alpha}}
  parameters: {alpha: 0.5}
  resources: {memory: 16g, cpus: 1}
evaluate: {command: "python evaluate.py ${{inputs.model}} ${{inputs.holdout}} ${{outputs.evaluation}}"}
judge: {metric: loss, floor: 1}
deliver: {model: churn, targets: [{name: hub-vm}]}
""".replace("COLUMNS", "columns: {a: {kind: integer}}")


@pytest.fixture
def pipeline() -> Pipeline:
    return parse_pipeline(PIPELINE, source="churn.yaml")


@pytest.fixture
def order(pipeline: Pipeline) -> Order:
    return order_of(pipeline, run_id="try-churn", image=IMAGE, parameters={"alpha": 0.7})


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with what a run takes, and what it does not."""
    texts = {"a.csv": "a\n1\n", "b/c.csv": "a\n2\n", "notes.txt": "x", "empty.csv": "", "done.csv": "a\n3\n"}
    texts["holdout.csv"] = "a\n4\n"
    for name, text in texts.items():
        (tmp_path / "files" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "files" / name).write_text(text)
    return tmp_path / "files"


def test_the_order_is_what_the_job_reads(order: Order) -> None:
    assert (order.run_id, order.image, order.judged_metric) == ("try-churn", IMAGE, "loss")
    assert order.parameters == {"alpha": 0.7}
    assert order.resources.memory == 16 * 1024**3


def test_by_default_all_that_is_asked_is_allowed_and_a_site_s_policy_may_refuse_it(
    order: Order, tmp_path: Path
) -> None:
    policy_of(order, None).check(order)
    policy_of(replace(order, model_format="pickle"), None).check(replace(order, model_format="pickle"))
    file = tmp_path / "policy.yaml"
    file.write_text(
        "registries: [registry.example]\n"
        "pipelines: {churn: {site: factory, containers: [churn], prefixes: [landing/]}}\nlimits: {memory: 8g}\n"
    )
    file.chmod(0o600)

    with pytest.raises(PolicyRefusedError) as refused:
        policy_of(order, file).check(order)
    assert refused.value.rule == "limits.memory"
    with pytest.raises(PolicyError):
        policy_of(order, tmp_path / "none.yaml")


def test_parameters_of_the_command_line_replace_those_of_the_file(pipeline: Pipeline) -> None:
    assert chosen_parameters(pipeline, {}) == {"alpha": 0.5}
    assert chosen_parameters(pipeline, {"alpha": 2}) == {"alpha": 2}
    for wrong in ({"beta": 1}, {"alpha": [1]}, {"alpha": None}):
        with pytest.raises(PermanentError):
            chosen_parameters(pipeline, wrong)


def test_files_are_taken_and_named_as_a_snapshot_would(
    pipeline: Pipeline, order: Order, files: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    (files / "a.csv").chmod(0o600)

    found = local_inputs(
        pipeline, order, data=files, holdout=files / "holdout.csv", into=tmp_path / "run", say=said.append
    )

    listed = json.loads(found.listing.read_text())
    assert [each["name"] for each in listed] == ["landing/a.csv", "landing/b/c.csv"]
    assert (found.data / "landing" / "b" / "c.csv").read_text() == "a\n2\n"
    assert (found.holdout.parent.name, found.holdout.name) == ("holdout", "holdout.csv")
    assert (found.data / "landing" / "a.csv").stat().st_mode & 0o777 == 0o444
    assert (files / "a.csv").stat().st_mode & 0o777 == 0o600
    assert any("4 files (done.csv, empty.csv, " in line for line in said)
    assert found.files == 2


def test_a_fault_is_shown_by_file_line_and_column(
    pipeline: Pipeline, order: Order, files: Path, tmp_path: Path
) -> None:
    (files / "a.csv").write_text("a\n1\nsecret\n")
    said: list[str] = []

    with pytest.raises(DataError):
        local_inputs(pipeline, order, data=files, holdout=files / "holdout.csv", into=tmp_path / "run", say=said.append)

    (fault,) = (line for line in said if line.startswith("fault"))
    assert all(part in fault for part in ("landing/a.csv", "line 3", "'a'"))
    assert "secret" not in fault


def test_a_faulty_file_is_left_out_where_the_pipeline_says_so(files: Path, tmp_path: Path) -> None:
    text = PIPELINE.replace("holdout: landing/", "on_bad_file: leave_out, holdout: landing/")
    pipeline = parse_pipeline(text, source="churn.yaml")
    order = order_of(pipeline, run_id="r", image=IMAGE, parameters=pipeline.train.parameters)
    (files / "a.csv").write_text("a\nx\n")

    found = local_inputs(
        pipeline, order, data=files, holdout=files / "holdout.csv", into=tmp_path / "run", say=lambda _: None
    )

    assert found.files == 1
    (files / "b" / "c.csv").write_text("a\nx\n")
    with pytest.raises(DataError):
        local_inputs(
            pipeline, order, data=files, holdout=files / "holdout.csv", into=tmp_path / "again", say=lambda _: None
        )


def test_a_folder_without_matching_files_is_told(pipeline: Pipeline, order: Order, files: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with pytest.raises(DataError):
        local_inputs(
            pipeline,
            order,
            data=tmp_path / "other",
            holdout=files / "holdout.csv",
            into=tmp_path / "run",
            say=lambda _: None,
        )


def test_what_a_container_prints_is_shown_line_by_line(tmp_path: Path) -> None:
    shown: list[str] = []
    log = tmp_path / "train.log"
    with ScriptOutput(tmp_path, shown.append):
        log.write_text("2026-01-01T00:00:00Z stdout F first\n2026-01-01T00:00:00Z stderr P sec")
        with log.open("a") as file:
            file.write("ond, \n2026-01-01T00:00:01Z stderr F and its end\n")

    assert shown == ["first", "second, and its end"]


def test_without_podman_it_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(PermanentError) as refused:
        find_podman({"PATH": str(tmp_path)})
    assert "podman is not installed" in refused.value.reason

    broken = tmp_path / "podman"
    broken.write_text("#!/bin/sh\necho 'no user namespaces' >&2\nexit 125\n")
    broken.chmod(0o755)
    with pytest.raises(PermanentError) as refused:
        find_podman({"PATH": f"{tmp_path}{os.pathsep}/bin"})
    assert "no user namespaces" in refused.value.reason
