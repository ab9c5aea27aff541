import json
from dataclasses import replace
from pathlib import Path

import pytest

from activities.submit_training import GRACE_SECONDS, submit_training
from shared.errors import Code, PermanentError
from shared.messages import TrainingOrder, TrainingPhase, TrainingStatus
from shared.pipelines import Pipelines
from shared.training_code.job_folders import JobFolders
from shared.training_code.run_code import RunCode
from tests.support.builders import a_snapshot, a_workload
from tests.support.image_registry import InMemoryRegistry, OneCode, pinned_images, with_dependency_image
from tests.support.jobs import MemoryJobs, a_job_tree, a_sealed_tree
from tests.support.training import MemoryDriver

ROOT = Path(__file__).resolve().parents[3]
PIPELINES = Pipelines(ROOT / "pipelines")
DEPLOYED = JobFolders(ROOT)
KEPT = MemoryJobs()
TREE = a_job_tree("folder_of_then", files={"train.py": b"as it was admitted"})
ORDER = TrainingOrder(
    run_id="breast-cancer-abababababab-1",
    pipeline="breast-cancer",
    compute="hub-vm",
    snapshot=a_snapshot(holdout="rows"),
    parameters={"most_iterations": 5, "inverse_regularisation": 0.3},
    fingerprint="ab" * 32,
    job=KEPT.keep(TREE),
    running_seconds=1234.5,
    evaluator="code",
)
SEALED_TREE = a_sealed_tree()
SEALED_ORDER = replace(ORDER, job=KEPT.keep(SEALED_TREE), workload=a_workload(), judged_metric="log_loss")
OLD_ORDER = replace(ORDER, job=None, running_seconds=None)


def submit(
    order: TrainingOrder,
    driver: MemoryDriver,
    pipelines: Pipelines = PIPELINES,
    registry: InMemoryRegistry | None = None,
) -> TrainingStatus:
    code, images = (
        RunCode(kept=KEPT, deployed=DEPLOYED, pipelines=pipelines),
        pinned_images(registry or InMemoryRegistry()),
    )
    return submit_training(order, driver=driver, code=code, pipelines=pipelines, images=images)


def test_the_job_carries_references_and_parameters() -> None:
    driver = MemoryDriver()

    status = submit(ORDER, driver)

    job = driver.jobs[ORDER.run_id]
    options = dict(zip(job.arguments[::2], job.arguments[1::2], strict=True))
    assert json.loads(options.pop("--parameters")) == ORDER.parameters
    assert options == {
        "--run-id": ORDER.run_id,
        "--site": "factory",
        "--manifest-container": "edgetrain-manifests",
        "--manifest": ORDER.snapshot.manifest,
        "--container": "breast-cancer",
    }
    assert job.compute == "hub-vm"
    assert job.tags == {
        "pipeline": "breast-cancer",
        "fingerprint": "ab" * 32,
        "snapshot": "cd" * 32,
        "holdout": "rows",
        "evaluator": "code",
    }
    assert status.phase is TrainingPhase.QUEUED


def test_a_champion_is_named_to_be_measured_beside_the_new_model() -> None:
    driver = MemoryDriver()

    submit(replace(ORDER, champion="breast-cancer-0000-1"), driver)

    assert driver.jobs[ORDER.run_id].arguments[-2:] == ("--champion", "breast-cancer-0000-1")


def test_the_job_gets_what_it_is_judged_by_and_what_to_do_with_faulty_files() -> None:
    driver = MemoryDriver()

    submit(replace(ORDER, judged_metric="log_loss", leave_out_faulty=True), driver)

    arguments = driver.jobs[ORDER.run_id].arguments
    options = dict(zip(arguments[::2], arguments[1::2], strict=True))
    assert (options["--judged-metric"], options["--on-bad-file"]) == ("log_loss", "leave_out")


def test_the_same_order_gives_the_same_job() -> None:
    one, two = MemoryDriver(), MemoryDriver()

    submit(ORDER, one)
    submit(ORDER, two)

    assert one.jobs == two.jobs


def test_the_code_and_the_limit_are_those_of_the_admission_whatever_is_deployed_now() -> None:
    driver = MemoryDriver()

    submit(ORDER, driver, pipelines=Pipelines(ROOT / "nowhere"))

    job = driver.jobs[ORDER.run_id]
    assert (job.code, job.most_seconds) == (TREE, 1234 + GRACE_SECONDS)


def test_an_order_from_before_runs_carried_their_code_trains_what_is_deployed() -> None:
    driver = MemoryDriver()

    submit(OLD_ORDER, driver)

    job = driver.jobs[ORDER.run_id]
    assert job.code == DEPLOYED.read("breast_cancer")
    assert job.most_seconds == PIPELINES.get("breast-cancer").train.running_limit_seconds + GRACE_SECONDS


def test_without_its_pipeline_such_an_order_is_a_permanent_error() -> None:
    with pytest.raises(PermanentError, match="there is no pipeline 'breast-cancer'") as caught:
        submit(OLD_ORDER, MemoryDriver(), pipelines=Pipelines(ROOT / "nowhere"))

    assert caught.value.code is Code.UNKNOWN_PIPELINE


def test_code_that_is_gone_is_a_permanent_error() -> None:
    order = replace(ORDER, job=a_job_tree(pins="other==1").frozen)

    with pytest.raises(PermanentError) as caught:
        submit(order, MemoryDriver())

    assert caught.value.code is Code.CODE_MISSING


def test_a_sealed_training_runs_in_the_dependency_image_by_digest(tmp_path: Path) -> None:
    driver, registry = MemoryDriver(), InMemoryRegistry()
    image = with_dependency_image(registry, tmp_path, OneCode(SEALED_TREE))

    submit(SEALED_ORDER, driver, registry=registry)

    job = driver.jobs[ORDER.run_id]
    option, text = job.arguments
    order = json.loads(text)
    assert (option, job.code) == ("--order", SEALED_TREE)
    assert order["image"] == f"registry.example/scoring/breast_cancer@{image.digest}"
    assert (order["seconds"], order["parameters"], order["champion"]) == (1234, ORDER.parameters, None)


def test_a_sealed_training_without_its_image_is_a_permanent_error() -> None:
    with pytest.raises(PermanentError) as caught:
        submit(SEALED_ORDER, MemoryDriver())

    assert caught.value.code is Code.DEPENDENCY_IMAGE_MISSING
