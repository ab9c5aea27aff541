import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from activities.submit_training import GRACE_SECONDS, submit_training
from shared.clients.ledger import Ledger
from shared.errors import Code, PermanentError, TransientError
from shared.messages import Actor, ActorKind, Cancellation, TrainingOrder, TrainingPhase, TrainingStatus
from shared.pipelines import Pipelines
from shared.training_code.job_folders import JobFolders
from shared.training_code.run_code import RunCode
from shared.training_driver import TrainingJob
from tests.support.builders import a_run_request, a_snapshot, a_workload
from tests.support.image_registry import InMemoryRegistry, OneCode, pinned_images, with_dependency_image
from tests.support.jobs import MemoryJobs, a_sealed_tree
from tests.support.memory_tables import memory_ledger
from tests.support.training import MemoryDriver
from tests.support.workflow import START

ROOT = Path(__file__).resolve().parents[3]
KEPT = MemoryJobs()
TREE = a_sealed_tree("folder_of_then", files={"train.py": b"as it was admitted"})
CHAMPION = f"registry.example/models/breast-cancer@sha256:{'cd' * 32}"
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
    judged_metric="log_loss",
    workload=a_workload(),
)
OLD_ORDER = replace(ORDER, workload=None)


@pytest.fixture
def registry(tmp_path: Path) -> InMemoryRegistry:
    registry = InMemoryRegistry()
    with_dependency_image(registry, tmp_path, OneCode(TREE))
    return registry


def submit(
    order: TrainingOrder,
    driver: MemoryDriver,
    registry: InMemoryRegistry,
    ledger: Ledger | None = None,
    trusted: Callable[[str], None] = lambda image: None,
) -> TrainingStatus:
    code = RunCode(kept=KEPT, deployed=JobFolders(ROOT), pipelines=Pipelines(ROOT / "nowhere"))
    runs = (ledger or memory_ledger()).runs
    return submit_training(order, driver=driver, code=code, images=pinned_images(registry), trusted=trusted, runs=runs)


def test_a_champion_whose_image_is_refused_is_not_measured_and_the_reason_is_handed_on(
    registry: InMemoryRegistry,
) -> None:
    driver, beside = MemoryDriver(), replace(ORDER, champion="champion-1", champion_image=CHAMPION)

    def refuse(image: str) -> None:
        raise PermanentError(f"{image} is not used", code=Code.SIGNATURE_REFUSED)

    status = submit(beside, driver, registry, trusted=refuse)

    assert status.unmeasured == f"{CHAMPION} is not used"
    assert json.loads(driver.jobs[ORDER.run_id].order)["champion"] is None
    assert submit(ORDER, MemoryDriver(), registry, trusted=refuse).unmeasured == "", "nobody's image is asked for"


def test_what_says_nothing_about_a_signature_is_no_reason_to_go_without_the_champion(
    registry: InMemoryRegistry,
) -> None:
    driver, beside = MemoryDriver(), replace(ORDER, champion="champion-1", champion_image=CHAMPION)

    def away(image: str) -> None:
        raise TransientError("the registry is away")

    with pytest.raises(TransientError):
        submit(beside, driver, registry, trusted=away)
    assert driver.jobs == {}


def test_the_order_carries_references_commands_and_parameters(registry: InMemoryRegistry) -> None:
    driver = MemoryDriver()

    status = submit(ORDER, driver, registry)

    job = driver.jobs[ORDER.run_id]
    order = json.loads(job.order)
    assert (order["manifest"], order["parameters"], order["champion"]) == (
        ORDER.snapshot.manifest,
        ORDER.parameters,
        None,
    )
    assert (order["train"], order["judged_metric"]) == (a_workload().train, "log_loss")
    assert job.compute == "hub-vm"
    assert job.tags == {
        "pipeline": "breast-cancer",
        "fingerprint": "ab" * 32,
        "snapshot": "cd" * 32,
        "holdout": "rows",
        "evaluator": "code",
    }
    assert status.phase is TrainingPhase.QUEUED


def test_it_runs_in_the_dependency_image_of_its_code_by_digest(registry: InMemoryRegistry) -> None:
    driver = MemoryDriver()

    submit(ORDER, driver, registry)

    name = OneCode(TREE).name
    stored = registry.get_manifest(name.repository, name.reference)
    assert stored is not None
    order = json.loads(driver.jobs[ORDER.run_id].order)
    assert order["image"] == f"registry.example/scoring/folder_of_then@{stored.digest}"


def test_a_training_whose_run_is_cancelled_while_it_is_submitted_is_stopped(registry: InMemoryRegistry) -> None:
    """No activity is stopped by a cancel, and whoever undoes the run may have looked for its training before."""
    ledger = memory_ledger()
    request = a_run_request(run_id=ORDER.run_id)
    ledger.runs.claim_run(request)

    class CancelledMeanwhile(MemoryDriver):
        def submit(self, job: TrainingJob) -> TrainingStatus:
            by = Actor(kind=ActorKind.KEY, name="ops")
            ledger.runs.cancel(ORDER.run_id, Cancellation(by=by, reason="no", at=START))
            return super().submit(job)

    driver = CancelledMeanwhile()
    with pytest.raises(PermanentError) as refused:
        submit(ORDER, driver, registry, ledger)

    assert refused.value.code is Code.RUN_CANCELLED
    assert driver.statuses[ORDER.run_id].phase is TrainingPhase.CANCELLED
    with pytest.raises(PermanentError):
        submit(ORDER, MemoryDriver(), registry, ledger)


def test_a_champion_is_named_with_its_image(registry: InMemoryRegistry) -> None:
    driver = MemoryDriver()

    submit(replace(ORDER, champion="breast-cancer-0000-1", champion_image=CHAMPION), driver, registry)

    champion = json.loads(driver.jobs[ORDER.run_id].order)["champion"]
    assert champion == {"run_id": "breast-cancer-0000-1", "image": CHAMPION}


def test_the_same_order_gives_the_same_job(registry: InMemoryRegistry) -> None:
    one, two = MemoryDriver(), MemoryDriver()

    submit(ORDER, one, registry)
    submit(ORDER, two, registry)

    assert one.jobs == two.jobs


def test_the_code_and_the_limit_are_those_of_the_admission_whatever_is_deployed_now(registry: InMemoryRegistry) -> None:
    driver = MemoryDriver()

    submit(ORDER, driver, registry)

    job = driver.jobs[ORDER.run_id]
    assert (job.code, job.most_seconds) == (TREE, 1234 + GRACE_SECONDS)
    assert json.loads(job.order)["seconds"] == 1234


def test_without_its_image_it_is_a_permanent_error() -> None:
    with pytest.raises(PermanentError) as caught:
        submit(ORDER, MemoryDriver(), InMemoryRegistry())

    assert caught.value.code is Code.DEPENDENCY_IMAGE_MISSING


def test_code_that_is_gone_is_a_permanent_error(registry: InMemoryRegistry) -> None:
    order = replace(ORDER, job=a_sealed_tree(pins="other==1").frozen)

    with pytest.raises(PermanentError) as caught:
        submit(order, MemoryDriver(), registry)

    assert caught.value.code is Code.CODE_MISSING


def test_an_order_from_before_sealed_training_starts_nothing(registry: InMemoryRegistry) -> None:
    driver = MemoryDriver()

    with pytest.raises(PermanentError) as caught:
        submit(OLD_ORDER, driver, registry)

    assert (caught.value.code, driver.jobs) == (Code.ADMITTED_BEFORE, {})


def test_what_such_an_order_started_already_is_found(registry: InMemoryRegistry) -> None:
    driver = MemoryDriver(statuses={ORDER.run_id: TrainingStatus(phase=TrainingPhase.RUNNING)})

    assert submit(OLD_ORDER, driver, registry).phase is TrainingPhase.RUNNING
