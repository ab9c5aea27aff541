import json
from pathlib import Path

import pytest

from activities.submit_training import GRACE_SECONDS, submit_training
from shared.errors import Code, PermanentError
from shared.job_folders import JobFolders
from shared.messages import Phase, TrainingOrder
from shared.pipelines import Pipelines
from tests.support.builders import a_snapshot
from tests.support.training import MemoryDriver

ROOT = Path(__file__).resolve().parents[3]
PIPELINES = Pipelines(ROOT / "pipelines")
JOBS = JobFolders(ROOT)
ORDER = TrainingOrder(
    run_id="breast-cancer-abababababab-1",
    pipeline="breast-cancer",
    compute="hub-vm",
    snapshot=a_snapshot(),
    parameters={"most_iterations": 5, "inverse_regularisation": 0.3},
    fingerprint="ab" * 32,
)


def test_the_job_carries_references_and_parameters() -> None:
    driver = MemoryDriver()

    status = submit_training(ORDER, driver=driver, pipelines=PIPELINES, environments=JOBS)

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
    assert (job.compute, job.folder, job.environment) == ("hub-vm", "breast_cancer", JOBS.environment("breast_cancer"))
    assert job.most_seconds == PIPELINES.get("breast-cancer").train.running_limit_seconds + GRACE_SECONDS
    assert job.tags == {"pipeline": "breast-cancer", "fingerprint": "ab" * 32, "snapshot": "cd" * 32}
    assert status.phase is Phase.QUEUED


def test_the_same_order_gives_the_same_job() -> None:
    one, two = MemoryDriver(), MemoryDriver()

    submit_training(ORDER, driver=one, pipelines=PIPELINES, environments=JOBS)
    submit_training(ORDER, driver=two, pipelines=PIPELINES, environments=JOBS)

    assert one.jobs == two.jobs


def test_a_pipeline_that_is_gone_is_a_permanent_error() -> None:
    with pytest.raises(PermanentError, match="there is no pipeline 'breast-cancer'") as caught:
        submit_training(ORDER, driver=MemoryDriver(), pipelines=Pipelines(ROOT / "nowhere"), environments=JOBS)

    assert caught.value.code is Code.UNKNOWN_PIPELINE
