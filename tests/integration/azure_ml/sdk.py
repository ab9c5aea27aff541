"""Calls of the unmodified azureml-core, in a process of their own: it chooses one cloud when it is imported."""

import hashlib
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

EXPERIMENT = "pumps"
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_known: dict[str, Any] = {}
_strangers: set[str] = set()


class Sdk:
    """``sdk(function, *arguments)`` calls a function of this module in the process with the SDK."""

    def __init__(self, endpoints: dict[str, Any], home: Path) -> None:
        # A fresh interpreter: a fork would inherit whatever this one has imported.
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(1, context, initializer=_begin, initargs=(endpoints, str(home)))

    def __call__(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        return self._pool.submit(function, *arguments, **named).result(timeout=600)

    def close(self) -> None:
        self._pool.shutdown()


def confine() -> None:
    """From now on this process reaches loopback only; whom else it called is remembered."""

    def guard(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.getaddrinfo":
            host = arguments[0]
        elif event == "socket.connect" and isinstance(arguments[1], tuple):
            host = arguments[1][0]
        else:
            return
        host = host.decode() if isinstance(host, bytes) else str(host)
        if host not in LOOPBACK:
            _strangers.add(host)
            raise ConnectionRefusedError(f"{host} is not on this machine")

    sys.addaudithook(guard)


def strangers() -> list[str]:
    """Hosts that this process wanted to reach, other than its own."""
    return sorted(_strangers)


def resource_manager() -> str:
    """Where the SDK believes Azure Resource Manager to be; a private name, used nowhere but in tests."""
    return str(_known["workspace"]._auth._get_arm_end_point())


def _begin(endpoints: dict[str, Any], home: str) -> None:
    confine()
    os.environ |= {
        "HOME": home,
        "ARM_CLOUD_METADATA_URL": endpoints["metadata_url"],
        "AZUREML_CURRENT_CLOUD": endpoints["cloud"],
        "AZURE_CONFIG_DIR": f"{home}/no-such-folder",
        "AZUREML_GIT_REPOSITORY_URI": "none",
        **dict.fromkeys(("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"), endpoints["ca_bundle"]),
        **{f"AZUREML_DEFAULT_{name}BACKOFF": "1" for name in ("", "500_", "503_")},
    }
    from azureml.core import Experiment

    _known["workspace"] = _workspace(endpoints)
    _known["experiment"] = Experiment(_known["workspace"], EXPERIMENT)


def _workspace(endpoints: dict[str, Any]) -> Any:
    from azureml.core import Workspace
    from azureml.core.authentication import ServicePrincipalAuthentication

    authentication = ServicePrincipalAuthentication(
        endpoints["tenant_id"], endpoints["client_id"], endpoints["client_secret"], cloud=endpoints["cloud"]
    )
    where = {name: endpoints[name] for name in ("subscription_id", "resource_group")}
    return Workspace.get(endpoints["workspace"], auth=authentication, **where)


def _run(run_id: str) -> Any:
    from azureml.core.run import get_run

    return get_run(_known["experiment"], run_id, clean_up=False)


def opening_error(endpoints: dict[str, Any]) -> str:
    """What the SDK says of a workspace that does not open."""
    from azureml.exceptions import AzureMLException

    try:
        _workspace(endpoints)
    except AzureMLException as error:
        return str(error)
    return ""


def attach(name: str, address: str, port: int, username: str, key_file: Path) -> dict[str, Any]:
    from azureml.core.compute import ComputeTarget, RemoteCompute

    configuration = RemoteCompute.attach_configuration(
        username=username, address=address, ssh_port=port, private_key_file=str(key_file)
    )
    target = ComputeTarget.attach(_known["workspace"], name, configuration)
    target.wait_for_completion(show_output=False)
    found = RemoteCompute(_known["workspace"], name)
    return {"address": found.address, "port": found.ssh_port, "all": sorted(_known["workspace"].compute_targets)}


def submit(
    run_id: str,
    folder: Path,
    *arguments: str,
    python: str,
    target: str = "vm",
    seconds: int = 600,
    variables: dict[str, str] | None = None,
    tags: dict[str, str] | None = None,
) -> str:
    """The id of the started run, or what the SDK said instead."""
    from azureml.core import Environment, ScriptRunConfig
    from azureml.exceptions import AzureMLException

    environment = Environment("here")
    environment.python.user_managed_dependencies = True
    environment.python.interpreter_path = python
    configuration = ScriptRunConfig(
        str(folder),
        script="job.py",
        arguments=list(arguments),
        compute_target=target,
        environment=environment,
        max_run_duration_seconds=seconds,
    )
    configuration.run_config.environment_variables = variables or {}
    try:
        run = _known["experiment"].submit(configuration, run_id=run_id, tags=tags)
    except AzureMLException as error:
        return f"{type(error).__name__}: {error}"
    return str(run.id)


def submit_at_once(times: int, run_id: str, folder: Path, *arguments: str, python: str) -> list[str]:
    with ThreadPoolExecutor(times) as pool:
        calls = [pool.submit(submit, run_id, folder, *arguments, python=python) for _ in range(times)]
        return sorted(call.result() for call in calls)


def status(run_id: str) -> str:
    return str(_run(run_id).get_status())


def facts(run_id: str) -> dict[str, Any]:
    run = _run(run_id)
    details = run.get_details_with_logs()
    return {
        "status": run.status,
        "tags": run.get_tags(),
        "properties": run.get_properties(),
        "error": ((details.get("error") or {}).get("error") or {}).get("message", ""),
        "log": details["logFiles"].get("user_logs/std_log.txt", ""),
        "files": sorted(run.get_file_names()),
        "metrics": run.get_metrics(),
        "started": details.get("startTimeUtc"),
        "ended": details.get("endTimeUtc"),
    }


def cancel(run_id: str) -> None:
    _run(run_id).cancel()


def tag(run_id: str, tags: dict[str, str], properties: dict[str, str]) -> None:
    _run(run_id).set_tags(tags)
    _run(run_id).add_properties(properties)


def download(run_id: str, prefix: str) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        _run(run_id).download_files(prefix=prefix, output_directory=folder, append_prefix=False)
        return {
            path.relative_to(folder).as_posix(): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()
        }


def digests(run_id: str, prefix: str) -> dict[str, str]:
    """As :func:`download`, but without the files: SHA-256 of each."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in download(run_id, prefix).items()}


def register(run_id: str, name: str, path: str, tags: dict[str, str]) -> int:
    return int(_run(run_id).register_model(name, path, tags=tags, properties={"run": run_id}).version)


def models(name: str, **chosen: Any) -> list[dict[str, Any]]:
    from azureml.core import Model

    found = Model.list(_known["workspace"], name=name, **chosen)
    return [
        {"version": model.version, "run_id": model.run_id, "tags": model.tags, "properties": model.properties}
        for model in found
    ]


def read_metrics(run_id: str, *names: str) -> Any:
    """As the app reads them, or what it says instead."""
    from shared.clients.azure_ml import metrics
    from shared.clients.azure_ml.outputs import RunOutputs

    return _said(lambda: metrics.read_metrics(_run(run_id), RunOutputs(_run(run_id)), names))


def names_below(run_id: str, folder: str) -> Any:
    from shared.clients.azure_ml.outputs import RunOutputs

    return _said(lambda: list(RunOutputs(_run(run_id)).below(folder).values()))


def fetch(run_id: str, folder: str, into: Path, most: int) -> Any:
    """As the app downloads a model."""
    from shared.clients.azure_ml.outputs import RunOutputs

    def read() -> dict[str, bytes]:
        RunOutputs(_run(run_id)).download(folder, into=into, most=most)
        return {path.relative_to(into).as_posix(): path.read_bytes() for path in into.rglob("*") if path.is_file()}

    return _said(read)


def _said(read: Callable[[], Any]) -> Any:
    from shared.errors import EdgetrainError

    try:
        return read()
    except EdgetrainError as error:
        return f"{type(error).__name__}: {error}"
