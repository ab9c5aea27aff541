"""Trouble outside, on the running stack: each ends in the documented outcome and leaves nothing behind.

The table under test is "What happens when" in ``docs/architecture.md``. The retry policies are those of production, so
the long outages run side by side, on pipelines of their own.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from local_stack.app_client import AppClient, Endpoints, app_client, deadline, land
from local_stack.demo_data import breast_cancer_story
from local_stack.files import read_object
from local_stack.supervisor import Stack
from tests.support import leftovers
from tests.support.azure_ml_view import trainings
from tests.support.changed_app import ChangedApp

CONTAINER = "faults"
DELIVERED = ("azure-flaky", "ssh-blip", "registry-blip", "served")
UNDELIVERED = ("azure-down", "ssh-outage", "overlong")
# The documented knobs of azureml-core: its own retries end sooner, ours stay as they are.
QUICK_SDK = dict.fromkeys(
    ("AZUREML_DEFAULT_BACKOFF", "AZUREML_DEFAULT_500_BACKOFF", "AZUREML_DEFAULT_503_BACKOFF"), "1"
)
# One outage would otherwise hold the compute, and every other test would wait for it.
SIDE_BY_SIDE = {"EDGETRAIN_COMPUTES__HUB_VM__SLOTS": "8"}

FAILS_WHERE_IT_SERVES = """

_init = init


def init():
    if os.environ["AZUREML_MODEL_DIR"].startswith("/var/"):
        raise RuntimeError("not today")
    _init()
"""
"""The sample is answered on the VM before the model leaves; there it must not fail."""

Run = dict[str, Any]


@pytest.fixture(scope="module")
def changed(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChangedApp]:
    """An app whose pipelines are quick to poll, and whose training takes as long as it is told."""
    app = ChangedApp.copied_to(tmp_path_factory.mktemp("faults") / "app")
    app.let_training_pause()
    train = {"expected_seconds": 2, "parameters": {"inverse_regularisation": 0.3, "pause_seconds": 0.01}}
    for name in (*DELIVERED, *UNDELIVERED):
        app.add_pipeline(name, data={"container": CONTAINER}, train=train)
    long = {**train, "running_limit_seconds": 2400}  # no limit is to end it before the outage does
    app.add_pipeline("ssh-outage", data={"container": CONTAINER}, train=long)
    app.add_pipeline("overlong", data={"container": CONTAINER}, train={**train, "running_limit_seconds": 3})
    app.prepare_serving(stack, *DELIVERED)
    data = breast_cancer_story()
    for name, content in {data.holdout_name: data.holdout, **data.first}.items():
        land(stack.endpoints, CONTAINER, name, content)
    with app.deployed(stack, **QUICK_SDK, **SIDE_BY_SIDE):
        yield app


@pytest.fixture(scope="module")
def client(stack: Stack, changed: ChangedApp) -> Iterator[AppClient]:
    with app_client(stack.endpoints) as app:
        yield app


@pytest.fixture(scope="module")
def azure_ml(stack: Stack) -> Iterator["AzureMlFaults"]:
    faults = AzureMlFaults(stack.endpoints)
    yield faults
    faults.clear()


@pytest.fixture(scope="module", autouse=True)
def early(client: AppClient, azure_ml: "AzureMlFaults") -> dict[str, str]:
    """Pipeline -> run, for what takes a while and is looked at later."""
    azure_ml.set(r"/experiments/azure-flaky", status=500, count=8)
    return {name: start(client, name) for name in ("azure-flaky", "served")}


@pytest.fixture(scope="module")
def run_without_azure_ml(client: AppClient, azure_ml: "AzureMlFaults") -> str:
    """A run whose submission is answered 500 for good. It takes three minutes to give up, beside other tests."""
    azure_ml.set(r"/experiments/azure-down/snapshotrun$", status=500)
    return start(client, "azure-down")


@pytest.fixture(scope="module")
def first_release(client: AppClient, early: dict[str, str]) -> Run:
    """What the pipeline ``served`` serves before anything happens to it."""
    return outcome(client, early["served"], "promoted")


@pytest.mark.timeout(3000)  # the first one: the app and the slots are made in it
def test_an_ssh_server_that_is_away_for_a_while_delays_training_and_roll_out(client: AppClient, stack: Stack) -> None:
    run_id = start(client, "ssh-blip", pause_seconds=20)
    wait_for(client, run_id, lambda run: phase_of(run) == "running")
    stack.restart("vm")

    wait_for(client, run_id, lambda run: run["stage"] in {"delivering", "rolling_out"})
    stack.stop_service("vm")
    try:
        wait_for_failed_activity(stack.endpoints, f"{run_id}-target-hub-vm")
    finally:
        stack.start_service("vm")

    run = outcome(client, run_id, "promoted")
    assert trainings(stack.endpoints)[run_id] == 1
    assert_serves(stack, "ssh-blip", run)
    assert leftovers.containers(stack.state, "ssh-blip") == {run_id: "running"}


def test_a_training_over_its_limit_is_cancelled_and_its_process_ends(client: AppClient, stack: Stack) -> None:
    run_id = start(client, "overlong", pause_seconds=120)

    run = outcome(client, run_id, "failed")

    assert run["reason"].startswith("training: ")
    assert "train.running_limit_seconds" in run["reason"], "whether the app or the job on the VM was quicker to end it"
    assert_nothing_left(stack, run_id)


@pytest.mark.usefixtures("run_without_azure_ml")
def test_a_registry_that_is_down_for_a_while_delays_a_run(client: AppClient, stack: Stack) -> None:
    run_id = start(client, "registry-blip", pause_seconds=20)
    wait_for(client, run_id, lambda run: phase_of(run) == "running")

    stack.stop_service("container_registry")
    try:
        wait_for_failed_activity(stack.endpoints, f"{run_id}-image")
    finally:
        stack.start_service("container_registry")

    run = outcome(client, run_id, "promoted")
    assert run["image"]


def test_azure_ml_that_answers_500_for_a_while_delays_a_run(
    client: AppClient, stack: Stack, early: dict[str, str]
) -> None:
    run_id = early["azure-flaky"]

    outcome(client, run_id, "promoted")

    assert trainings(stack.endpoints)[run_id] == 1


def test_a_candidate_that_fails_its_health_check_is_removed(
    client: AppClient, stack: Stack, changed: ChangedApp, first_release: Run
) -> None:
    score = changed.root / "training" / "breast_cancer" / "score.py"
    good = score.read_text(encoding="utf-8")
    changed.append("training/breast_cancer/score.py", FAILS_WHERE_IT_SERVES)
    try:
        run_id = start(client, "served", inverse_regularisation=0.31)
        run = outcome(client, run_id, "rolled_back")
    finally:
        score.write_text(good, encoding="utf-8")

    assert run["reason"].startswith("rolling_out: hub-vm: candidate edgetrain-served-")
    assert "score.py" in run["reason"]
    assert_nothing_left(stack, run_id)
    assert_serves(stack, "served", first_release)


@pytest.mark.timeout(3000)  # the roll-out's own tries take two minutes, and its first pause one
def test_a_vm_without_ssh_is_nobodys_fault_and_a_roll_out_waits_for_it(
    client: AppClient, stack: Stack, azure_ml: "AzureMlFaults", first_release: Run, run_without_azure_ml: str
) -> None:
    """One outage, two runs: one is training, the other about to roll out, which changes nothing before the outage."""
    outcome(client, run_without_azure_ml, "failed")  # it needs its fault no more
    azure_ml.set(r"/modelmanagement/.*models$", delay=1200, count=1)
    rolling_out = start(client, "served", inverse_regularisation=0.32)
    wait_for(client, rolling_out, lambda run: run["stage"] == "delivering")
    training = start(client, "ssh-outage", pause_seconds=1800)  # it trains until the outage ends it
    wait_for(client, training, lambda run: phase_of(run) == "running")

    stack.stop_service("vm")
    azure_ml.clear()
    try:
        # The pause first: it lasts a minute, while a run that has failed stays so.
        waiting = wait_for(client, rolling_out, lambda run: "next_try_at" in (run["progress"] or {}), seconds=1200)
        failed = outcome(client, training, "failed")
    finally:
        stack.start_service("vm")

    assert failed["reason"].startswith("training: Azure ML")
    assert "SSH" in failed["reason"]
    assert (failed["failure_kind"], failed["job_failed"]) == ("outside", False)
    assert (waiting["stage"], waiting["progress"]["tries"]) == ("rolling_out", "1 of 6")
    assert f"SSH to {stack.endpoints['vm']['address']}" in waiting["progress"]["reason"]
    assert_serves(stack, "served", first_release)

    promoted = outcome(client, rolling_out, "promoted")
    assert trainings(stack.endpoints)[rolling_out] == 1, "the model was there: nothing is trained again"
    assert_serves(stack, "served", promoted)
    assert_nothing_left(stack, training)


@pytest.mark.timeout(3000)
def test_azure_ml_that_answers_500_for_good_fails_the_run(
    client: AppClient, stack: Stack, run_without_azure_ml: str
) -> None:
    run_id = run_without_azure_ml
    run = outcome(client, run_id, "failed")

    assert run["reason"].startswith("training: ")
    assert run_id in run["reason"]
    assert "injected" in run["reason"], "what the service said"
    assert "by itself" in run["reason"], "the app's own retries are told"
    assert_nothing_left(stack, run_id)
    leftovers.wait_until_no_orchestration_runs(stack.endpoints)


class AzureMlFaults:
    """The stand-in's own door for faults, see ``local_stack/azure_ml/faults.py``."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._azure_ml = endpoints["azure_ml"]
        self._url = self._azure_ml["url"]

    def set(self, path: str, **fault: float) -> None:
        self._call("POST", {"path": path, **fault})

    def clear(self) -> None:
        self._call("DELETE", None)

    def _call(self, method: str, body: Any) -> Any:
        answer = requests.request(
            method,
            f"{self._url}/_faults",
            json=body,
            headers={"x-faults-key": self._azure_ml["faults_key"]},
            verify=self._azure_ml["ca_bundle"],
            timeout=30,
        )
        answer.raise_for_status()


def start(app: AppClient, pipeline: str, **parameters: float) -> str:
    """Start a run by hand; different parameters make it a different training."""
    answer = app.post(f"/api/pipelines/{pipeline}/runs", {"parameters": parameters})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["run_id"])


def outcome(app: AppClient, run_id: str, expected: str) -> Run:
    run = app.wait_for_outcome(run_id, seconds=1200)
    assert run["outcome"] == expected, f"{run_id}: {run['outcome']}: {run['reason']}"
    return run


def wait_for(app: AppClient, run_id: str, reached: Callable[[Run], bool], *, seconds: float = 900) -> Run:
    """The run as it was seen there; it must not have ended before."""
    for _ in deadline(seconds, f"run {run_id} getting there"):
        run = app.run(run_id)
        if reached(run):
            return run
        assert run.get("outcome") is None, f"{run_id} ended before: {run['outcome']}: {run['reason']}"
    raise AssertionError  # deadline() raises first


def phase_of(run: Run) -> str:
    return str((run.get("progress") or {}).get("phase") or "")


def wait_for_failed_activity(endpoints: Endpoints, instance_id: str) -> None:
    """Return when the orchestration's history has a failed attempt of an activity; it will try again."""
    for _ in deadline(900, f"a failed attempt in {instance_id}"):
        if any(entry["EventType"] == "TaskFailed" for entry in leftovers.history(endpoints, instance_id)):
            return


def assert_nothing_left(stack: Stack, run_id: str) -> None:
    """No process, folder or candidate of the run on the VM, and no orchestration of it that goes on."""
    pipeline = run_id.rsplit("-", 2)[0]
    left: list[str] = []
    for _ in deadline(180, f"the end of what run {run_id} started"):
        left = [
            *leftovers.processes(run_id),
            *(f"~/azureml/{name}" for name in leftovers.training_folders(stack.endpoints) if name == run_id),
            *(f"container of {name}" for name in leftovers.containers(stack.state, pipeline) if name == run_id),
            *(name for name in leftovers.running_orchestrations(stack.endpoints) if name.startswith(run_id)),
        ]
        if not left:
            return


def assert_serves(stack: Stack, pipeline: str, release: Run) -> None:
    """The release is what is live, and it answers."""
    slot = read_object(Path(stack.endpoints["vm"]["home"]) / "serving" / f"{pipeline}.json")
    assert release["run_id"] in str(slot)
    data = breast_cancer_story()
    answer = requests.post(f"{stack.endpoints['serving'][pipeline]}/score", json=data.sample_request, timeout=30)
    assert answer.status_code == 200, answer.text
