"""Our adapters in a process of their own.

The SDK chooses one cloud per process and reads its environment at import; other tests have their own. So the driver
and the registry live in a worker, which tests call, and which a test can kill.
"""

import multiprocessing
import os
import sys
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Barrier
from typing import Any

from activities.register_model import register_model
from shared.clients.azure_ml import AzureMlDriver, AzureMlRegistry, AzureMlWorkspace
from shared.clients.azure_ml.compute import attach_compute
from shared.clients.ledger import Ledger
from shared.errors import EdgetrainError, PermanentError
from shared.messages import RegisteredModel, RegisterModel, TrainingStatus
from shared.pipelines import Pipelines
from shared.settings import AzureMl, Compute
from shared.training_driver import TrainingJob
from tests.support.memory_tables import MemoryTables

APP_ROOT = Path(__file__).resolve().parents[3]
_parts: dict[str, Any] = {}


@dataclass(frozen=True)
class Failed:
    """One of our errors, in a form that survives pickling."""

    kind: str
    text: str
    code: str = ""


@dataclass
class Client:
    """Calls the adapters in the worker."""

    settings: AzureMl
    computes: dict[str, Compute]
    environment: dict[str, str]

    def __post_init__(self) -> None:
        self._pool = self._started()

    def _started(self) -> ProcessPoolExecutor:
        # A fresh interpreter: a fork would inherit whatever this one has imported.
        return ProcessPoolExecutor(
            1,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_start,
            initargs=(self.settings, self.computes, self.environment),
        )

    def begin(self, part: str, method: str, *arguments: Any, **named: Any) -> "Future[Any]":
        return self._pool.submit(_call, part, method, arguments, named)

    def driver(self, method: str, *arguments: Any, **named: Any) -> Any:
        return self.begin("driver", method, *arguments, **named).result(timeout=600)

    def registry(self, method: str, *arguments: Any, **named: Any) -> Any:
        return self.begin("registry", method, *arguments, **named).result(timeout=600)

    def process_id(self) -> int:
        number: int = self._pool.submit(os.getpid).result(timeout=600)
        return number

    def restart(self) -> None:
        self.close()
        self._pool = self._started()

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)


def _start(settings: AzureMl, computes: dict[str, Compute], environment: dict[str, str]) -> None:
    os.environ.update(environment)
    workspace = AzureMlWorkspace(settings)
    _parts["computes"], _parts["turns"] = computes, Ledger.over(MemoryTables()).turns
    _parts["driver"] = AzureMlDriver(workspace, computes.__getitem__, _parts["turns"])
    _parts["registry"] = AzureMlRegistry(workspace)
    _parts["workspace"] = workspace
    _parts["facts"] = _Facts(workspace)


def _call(part: str, method: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
    try:
        return getattr(_parts[part], method)(*arguments, **named)
    except PermanentError as error:
        return Failed("permanent", str(error), error.code.value)
    except EdgetrainError as error:
        return Failed("transient", str(error))


class _Facts:
    """What tests want of this process that our adapters do not offer."""

    def __init__(self, workspace: AzureMlWorkspace) -> None:
        self._workspace = workspace

    def submit_side_by_side(self, jobs: list[TrainingJob]) -> list[TrainingStatus]:
        """As the host does: activities run on threads of one process."""
        with ThreadPoolExecutor(len(jobs)) as threads:
            return list(threads.map(_parts["driver"].submit, jobs))

    def attach(self, name: str, **changes: Any) -> None:
        compute = _parts["computes"]["hub-vm"].model_copy(update=changes)
        attach_compute(self._workspace.open(), name, compute, _parts["turns"])

    def attach_side_by_side(self, name: str, times: int) -> list[str]:
        """What each was told; empty for one that may go on."""

        def attach(_: int) -> str:
            try:
                self.attach(name)
            except EdgetrainError as error:
                return str(error)
            return ""

        with ThreadPoolExecutor(times) as threads:
            return list(threads.map(attach, range(times)))

    def files_written_by_attaching(self, name: str) -> list[str]:
        """Every file that was opened for writing meanwhile, of those that have a name."""
        opened: list[str] = []

        def watch(event: str, arguments: tuple[Any, ...]) -> None:
            if event == "open" and isinstance(arguments[0], str) and set(str(arguments[1])) & set("wax+"):
                opened.append(arguments[0])

        sys.addaudithook(watch)
        self.attach(name)
        return opened

    def registered_at_once(self, command: RegisterModel, times: int) -> list[RegisteredModel]:
        """The activity on threads of one process, delivered so many times at the same moment."""
        begin = Barrier(times)

        def deliver(_: int) -> RegisteredModel:
            begin.wait(timeout=600)
            return register_model(command, registry=_parts["registry"], pipelines=Pipelines(APP_ROOT / "pipelines"))

        with ThreadPoolExecutor(times) as threads:
            return list(threads.map(deliver, range(times)))

    def resource_manager(self) -> str:
        """Where the SDK believes Azure Resource Manager to be; a private name, used nowhere but in this test."""
        endpoint: str = self._workspace.open()._auth._get_arm_end_point()
        return endpoint

    def run(self, pipeline: str, run_id: str) -> dict[str, Any]:
        run = self._workspace.run(pipeline, run_id)
        return {"tags": run.tags, "properties": run.properties, "definition": run.get_details()["runDefinition"]}

    def models(self, name: str) -> list[dict[str, Any]]:
        from azureml.core import Model

        found = Model.list(self._workspace.open(), name=name)
        return [
            {"version": model.version, "tags": model.tags, "properties": model.properties, "run_id": model.run_id}
            for model in found
        ]

    def log(self, pipeline: str, run_id: str, into: str) -> str:
        path = Path(into) / f"{run_id}.log"
        self._workspace.run(pipeline, run_id).download_file("user_logs/std_log.txt", str(path))
        return path.read_text(encoding="utf-8")
