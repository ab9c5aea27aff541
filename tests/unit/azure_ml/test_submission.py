import shlex
from pathlib import Path
from typing import Any

import pytest

from local_stack.azure_ml import job
from local_stack.azure_ml.answers import ServiceError
from local_stack.azure_ml.job import Job
from local_stack.azure_ml.submission import check_run_id, check_supported, job_of
from local_stack.azure_ml.workspace import Workspace

SUPPORTED: dict[str, Any] = {"script": "job.py", "environment": {"python": {"userManagedDependencies": True}}}
RUN = {"runId": "r-1", "experimentName": "pumps", "experimentId": "e-1"}


@pytest.mark.parametrize("run_id", ["a", "pumps-0123456789ab-1", "9_x", "a" * 256])
def test_a_run_id_of_the_services_pattern_is_taken(run_id: str) -> None:
    assert check_run_id(run_id) == run_id


@pytest.mark.parametrize("run_id", ["", ".", "..", "../x", "a/b", "a b", "-a", "a\n", "ä", "a" * 257])
def test_any_other_is_refused_because_it_becomes_a_folder(run_id: str) -> None:
    with pytest.raises(ServiceError) as refusal:
        check_run_id(run_id)

    assert refusal.value.status == 400


def test_a_plain_script_is_supported() -> None:
    check_supported(SUPPORTED)


@pytest.mark.parametrize(
    "changes",
    [
        {"docker": {"useDocker": True}},
        {"environment": {"python": {"userManagedDependencies": True}, "docker": {"enabled": True}}},
        {"environment": {"python": {}}},
        {"nodeCount": 2},
        {"data": {"input": {}}},
        {"outputData": {"output": {}}},
        {"command": "python job.py"},
        {"environmentVariables": {"A;reboot": "1"}},
        {"script": None},
        {"script": "/etc/job.py"},
        {"script": "a/../../job.py"},
    ],
)
def test_what_is_not_done_here_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ServiceError) as refusal:
        check_supported(SUPPORTED | changes)

    assert refusal.value.status == 400


@pytest.fixture
def made(tmp_path: Path) -> Job:
    workspace = Workspace.open(tmp_path)
    workspace.url = "https://127.0.0.1:1"
    definition = {
        "script": "job.py",
        "arguments": ["--rows", 3, 0.5],
        "environment": {"python": {"interpreterPath": "/opt/python"}, "environmentVariables": {"A": "1", "B": "1"}},
        "environmentVariables": {"B": 2, "AZUREML_RUN_ID": "another"},
    }
    return job_of(workspace, RUN, {"owner": "o-1", "definition": definition, "snapshot": "none"})


def test_arguments_become_texts(made: Job) -> None:
    assert (made.interpreter, made.script, made.arguments) == ("/opt/python", "job.py", ("--rows", "3", "0.5"))


def test_variables_of_the_run_win_over_the_environments_and_the_context_over_both(made: Job) -> None:
    assert (made.environment["A"], made.environment["B"]) == ("1", "2")
    assert made.environment["AZUREML_RUN_ID"] == "r-1"
    assert made.environment["AZUREML_RUN_TOKEN"].count(".") == 2


def test_the_job_knows_nothing_of_the_cloud_metadata(made: Job) -> None:
    # With it the SDK would ask for the metadata from the VM, which it does not need to do.
    assert made.environment.keys().isdisjoint({"ARM_CLOUD_METADATA_URL", "AZUREML_CURRENT_CLOUD"})


@pytest.mark.parametrize("name", ["A B", "A;reboot", "1A", "", "A\n"])
def test_a_variable_cannot_smuggle_in_a_command(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be the name"):
        Job("r-1", "o-1", "python", "job.py", (), {name: "x"})


def test_no_argument_reaches_the_shell_unquoted() -> None:
    hostile = "$(reboot) 'x' ; `y`"

    text = Job("r-1", "o-1", "/a b/python", "job.py", (hostile,), {}).launcher()

    assert f"'/a b/python' job.py {shlex.quote(hostile)} >../{job.LOG}" in text
