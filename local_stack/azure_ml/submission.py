"""Parse a submitted configuration into the job for the VM; refuses what the stand-in does not support."""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, Final

from local_stack.azure_ml import snapshots
from local_stack.azure_ml.answers import ServiceError
from local_stack.azure_ml.job import Job, check_variables
from local_stack.azure_ml.workspace import TOKEN_SECONDS, Workspace, now_text

# The pattern of the public REST description; the id also becomes a folder's name on the VM.
_RUN_ID: Final = re.compile(r"[a-zA-Z0-9][\w-]{0,255}", re.ASCII)


def check_run_id(run_id: str) -> str:
    """The id, if it is one; raises 400."""
    if not _RUN_ID.fullmatch(run_id):
        raise ServiceError(400, "UserError", f"{run_id[:100]!r} is no run id")
    return run_id


def check_supported(configuration: Mapping[str, Any]) -> None:
    """Refuse what is not done here, instead of ignoring it; raises 400."""
    environment = configuration.get("environment") or {}
    python = environment.get("python") or {}
    asked = {
        "docker": (configuration.get("docker") or {}).get("useDocker")
        or (environment.get("docker") or {}).get("enabled"),
        "nodeCount above 1": (configuration.get("nodeCount") or 1) > 1,
        "data": configuration.get("data"),
        "outputData": configuration.get("outputData"),
        "command": configuration.get("command"),
        "an environment that the service builds": not python.get("userManagedDependencies"),
    }
    for name, value in asked.items():
        if value:
            raise ServiceError(400, "UserError", f"{name} is not supported by this stand-in")
    script = PurePosixPath(configuration.get("script") or "..")
    if script.is_absolute() or ".." in script.parts:
        raise ServiceError(400, "UserError", "script must be a path in the snapshot")
    try:
        for variables in (environment.get("environmentVariables"), configuration.get("environmentVariables")):
            check_variables(variables or {})
    except ValueError as error:
        raise ServiceError(400, "UserError", str(error)) from None


def job_of(workspace: Workspace, run: Mapping[str, Any], execution: Mapping[str, Any]) -> Job:
    """The job of a run. Raises ``ValueError`` for a variable with an impossible name."""
    definition = execution["definition"]
    environment = definition.get("environment") or {}
    return Job(
        run_id=run["runId"],
        owner=execution["owner"],
        interpreter=str((environment.get("python") or {}).get("interpreterPath") or "python"),
        script=definition["script"],
        arguments=tuple(str(argument) for argument in definition.get("arguments") or []),
        environment=_strings(environment.get("environmentVariables"))
        | _strings(definition.get("environmentVariables"))
        | _context(workspace, run),
        files=snapshots.files(workspace, execution["snapshot"]) or {},
    )


def _context(workspace: Workspace, run: Mapping[str, Any]) -> dict[str, str]:
    """What ``Run.get_context()`` reads. With an experiment id it asks by that; a variable missing makes it offline."""
    who = workspace.identity
    return {
        "AZUREML_ARM_SUBSCRIPTION": who["subscription_id"],
        "AZUREML_ARM_RESOURCEGROUP": who["resource_group"],
        "AZUREML_ARM_WORKSPACE_NAME": who["workspace"],
        "AZUREML_ARM_PROJECT_NAME": run["experimentName"],
        "AZUREML_RUN_ID": run["runId"],
        "AZUREML_RUN_TOKEN": workspace.token(run["runId"], run_id=run["runId"]),
        "AZUREML_RUN_TOKEN_EXPIRY": now_text(in_seconds=TOKEN_SECONDS),
        "AZUREML_SERVICE_ENDPOINT": workspace.url,
        "AZUREML_DISCOVERY_SERVICE_ENDPOINT": f"{workspace.url}/discovery",
        "AZUREML_WORKSPACE_ID": who["workspace_id"],
        "AZUREML_EXPERIMENT_ID": run["experimentId"],
    }


def _strings(values: Mapping[str, Any] | None) -> dict[str, str]:
    return {key: str(value) for key, value in (values or {}).items()}
