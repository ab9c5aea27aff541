"""What Azure ML has, asked through its SDK in a process of its own (it knows one cloud per process); and its faults."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import requests

from local_stack.app_client import Endpoints
from local_stack.supervisor.app_settings import app_settings

ROOT = Path(__file__).resolve().parents[2]
_MODELS = """
import json, sys
from shared.clients.azure_ml import AzureMlWorkspace
from shared.settings import settings
workspace = AzureMlWorkspace(settings().azure_ml).open()
from azureml.core import Model  # not before the workspace's cloud is chosen
models = Model.list(workspace, name=sys.argv[1], run_id=sys.argv[2] or None)
print(json.dumps([{"version": str(m.version), "tags": m.tags, "properties": m.properties} for m in models]))
"""

_BEGIN = """
import sys, tempfile
from pathlib import Path
from shared.clients.azure_ml import AzureMlWorkspace
from shared.settings import settings
workspace = AzureMlWorkspace(settings().azure_ml).open()
from azureml.core import Environment, Experiment, ScriptRunConfig  # not before the workspace's cloud is chosen
experiment, run_id, compute, go, python = sys.argv[1:]
environment = Environment("waits")
environment.python.user_managed_dependencies = True
environment.python.interpreter_path = python
with tempfile.TemporaryDirectory() as folder:
    waits = "import pathlib, sys, time\\nwhile not pathlib.Path(sys.argv[1]).exists(): time.sleep(0.05)\\n"
    Path(folder, "job.py").write_text(waits)
    configuration = ScriptRunConfig(
        folder, script="job.py", arguments=[go], compute_target=compute, environment=environment,
        max_run_duration_seconds=600,
    )
    Experiment(workspace, experiment).submit(configuration, run_id=run_id)
"""


def begin(endpoints: Endpoints, experiment: str, run_id: str, compute: str, *, go: Path) -> None:
    """Start a run of a script that waits until there is a file, and then completes."""
    _said(endpoints, _BEGIN, experiment, run_id, compute, str(go), sys.executable)


def models(endpoints: Endpoints, name: str, run_id: str = "") -> list[dict[str, Any]]:
    """Versions of a model with tags and properties, newest first; only those of a run if one is named."""
    found: list[dict[str, Any]] = json.loads(_said(endpoints, _MODELS, name, run_id).splitlines()[-1])
    return found


def _said(endpoints: Endpoints, program: str, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, *words],
        cwd=ROOT,
        env=dict(os.environ) | app_settings(endpoints) | {"AZUREML_GIT_REPOSITORY_URI": "none"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def model_versions(endpoints: Endpoints, name: str, run_id: str) -> list[str]:
    """The versions that a run registered."""
    return [model["version"] for model in models(endpoints, name, run_id)]


def trainings(endpoints: Endpoints) -> dict[str, int]:
    """Run id -> how often a training process was started for it, by the stand-in's own count."""
    azure_ml = endpoints["azure_ml"]
    credentials = {"grant_type": "client_credentials"} | {key: azure_ml[key] for key in ("client_id", "client_secret")}
    # ``verify`` with each request: a variable of the environment would win over a session's.
    url, verify = azure_ml["url"], azure_ml["ca_bundle"]
    token = requests.post(f"{url}/adfs/oauth2/token", data=credentials, verify=verify, timeout=30).json()
    bearer = {"Authorization": f"Bearer {token['access_token']}"}
    answer = requests.get(f"{url}/_stats", headers=bearer, verify=verify, timeout=30)
    answer.raise_for_status()
    found: dict[str, int] = answer.json()["trainings"]
    return found


def answer_late(endpoints: Endpoints, path: str, *, seconds: float) -> None:
    """Carry out the next request to a path (a regular expression), and answer that much later."""
    _faults(endpoints, "POST", {"path": path, "delay": seconds, "after": True, "count": 1})


def answer_in_time(endpoints: Endpoints) -> None:
    """No faults any more."""
    _faults(endpoints, "DELETE", None)


def _faults(endpoints: Endpoints, method: str, body: Any) -> None:
    azure_ml = endpoints["azure_ml"]
    answer = requests.request(
        method,
        f"{azure_ml['url']}/_faults",
        json=body,
        headers={"x-faults-key": azure_ml["faults_key"]},
        verify=azure_ml["ca_bundle"],
        timeout=30,
    )
    answer.raise_for_status()
