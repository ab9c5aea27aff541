"""The execution service: accepts a run once per id, queues it per compute target, runs it on the VM by SSH."""

import asyncio
import contextlib
import logging
from pathlib import Path
from typing import Any

from aiohttp import web

from local_stack.azure_ml import artifacts, blobs, computes, job, runs, snapshots
from local_stack.azure_ml.answers import WS, ServiceError, body_of
from local_stack.azure_ml.history import expiry
from local_stack.azure_ml.vm_session import UnreachableError, VmSession, session
from local_stack.azure_ml.workspace import TOKEN_SECONDS, Workspace

log = logging.getLogger(__name__)

POLL_SECONDS = 0.5
SSH_ATTEMPTS = 4
SSH_PAUSE_SECONDS = 2.0
_LOG_LINES = 8


class Execution:
    """Queues and runners. One run at a time per compute target."""

    def __init__(self, workspace: Workspace, known_hosts: Path | None) -> None:
        self._workspace = workspace
        self._known_hosts = known_hosts
        self._turns: dict[str, asyncio.Lock] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def routes(self) -> list[web.RouteDef]:
        """Submit and cancel."""
        base = f"/execution/v1.0{WS}/experiments/{{exp}}"
        return [
            web.post(f"{base}/snapshotrun", self._submit),
            web.post(f"{base}/runId/{{run}}/cancel", self._cancel),
        ]

    def resume(self) -> None:
        """Go on with every run that had not ended when the workspace was stopped, in the order of submission."""
        for run in self._workspace.store.all(runs.RUN):
            if run["status"] not in runs.TERMINAL and self._workspace.store.get(runs.EXECUTION, run["runId"]):
                self._launch(run["runId"])

    async def stop(self) -> None:
        """Stop watching; processes on VMs go on and are found again by :meth:`resume`."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _submit(self, request: web.Request) -> web.Response:
        body, name = await body_of(request), request.match_info["exp"]
        configuration = body.get("Configuration") or {}
        _refuse_unsupported(configuration)
        run_id = request.query.get("runId") or f"{name}_{len(self._workspace.store.all(runs.RUN)) + 1}"
        if snapshots.files(self._workspace, str(body.get("SnapshotId"))) is None:
            raise ServiceError(400, "UserError", f"Snapshot {body.get('SnapshotId')} was not found")
        if computes.vm(self._workspace, str(configuration.get("target"))) is None:
            raise ServiceError(400, "UserError", f"Compute target {configuration.get('target')} was not found")
        execution = {"snapshot": body["SnapshotId"], "definition": configuration, "trainings": 0}
        # The execution first: a run that exists can be executed, also after a crash right here.
        self._workspace.store.add(runs.EXECUTION, run_id, execution)
        if not runs.create_run(self._workspace, name, run_id, target=configuration["target"]):
            raise ServiceError(409, "Conflict", f"Run {run_id} already exists")
        self._launch(run_id)
        return web.json_response({"runId": run_id})

    async def _cancel(self, request: web.Request) -> web.Response:
        run_id = request.match_info["run"]
        if self._workspace.store.get(runs.RUN, run_id) is None:
            raise ServiceError(404, "UserError", f"Run {run_id} was not found")
        runs.set_status(self._workspace, run_id, "CancelRequested")
        return web.json_response({})

    def _launch(self, run_id: str) -> None:
        task = asyncio.create_task(self._take_turn(run_id), name=f"run {run_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _take_turn(self, run_id: str) -> None:
        run = self._run(run_id)
        if run["status"] == "NotStarted":
            runs.set_status(self._workspace, run_id, "Queued")
        async with self._turns.setdefault(run["target"], asyncio.Lock()):
            try:
                await self._execute(run_id)
            except UnreachableError as error:
                reason = f"{error}; check that the VM is up and that its key is right"
                runs.set_status(self._workspace, run_id, "Failed", error=reason)
            except Exception as error:
                log.exception("run %s", run_id)
                runs.set_status(self._workspace, run_id, "Failed", error=f"the execution service failed: {error}")

    async def _execute(self, run_id: str) -> None:
        if not self._cancelled(run_id):
            runs.set_status(self._workspace, run_id, "Preparing")
            await self._on_vm(run_id, self._start)
            runs.set_status(self._workspace, run_id, "Running")
        status, why = await self._watch(run_id)
        runs.set_status(self._workspace, run_id, "Finalizing")
        tail = await self._on_vm(run_id, self._collect)
        self._end(run_id, status, why, tail)

    def _start(self, vm: VmSession, run_id: str) -> None:
        asked = self._job(run_id)
        if not any(True for name in vm.files(asked.folder) if name == "pid"):
            job.prepare(vm, asked, self._workspace.ca_bundle)

            def count(execution: dict[str, Any]) -> None:
                execution["trainings"] += 1

            self._workspace.store.change(runs.EXECUTION, run_id, count)
        job.start(vm, asked)

    async def _watch(self, run_id: str) -> tuple[int | None, str]:
        """Exit status and, when we ended it, why. Looks at the process until it is gone."""
        limit = float(self._definition(run_id).get("maxRunDurationSeconds") or 0)
        loop = asyncio.get_running_loop()
        ends = loop.time() + limit if limit else None
        while True:
            if self._cancelled(run_id):
                return await self._kill(run_id, "")
            if ends is not None and loop.time() > ends:
                return await self._kill(run_id, f"the run exceeded maxRunDurationSeconds of {limit:g} and was ended")
            status = await self._on_vm(run_id, job.poll)
            if status is not None:
                return status, ""
            await asyncio.sleep(POLL_SECONDS)

    async def _kill(self, run_id: str, why: str) -> tuple[int | None, str]:
        gone = await self._on_vm(run_id, job.kill)
        return None, why if gone else f"{why or 'cancelled'}, but its process could not be ended"

    def _collect(self, vm: VmSession, run_id: str) -> str:
        """Store the log and the outputs as artifacts, remove the run's folder; the end of the log."""
        folder, tail = f"azureml/{run_id}", ""
        for name in vm.files(folder):
            path = _artifact_path(name)
            if path is None:
                continue
            container = f"dcid.{run_id}"
            key = f"ExperimentRun/{container}/{path}"
            target = blobs.file_of(self._workspace, artifacts.blob_path(key))
            partial = target.with_name(f"{target.name}.partial")
            vm.download(f"{folder}/{name}", partial)
            partial.replace(target)
            artifacts.add(self._workspace, "ExperimentRun", container, path)
            if path == "user_logs/std_log.txt":
                tail = _tail(target)
        job.remove(vm, run_id)
        return tail

    def _end(self, run_id: str, status: int | None, why: str, tail: str) -> None:
        if status == 0:
            runs.set_status(self._workspace, run_id, "Completed")
        elif status is None and not why:
            runs.set_status(self._workspace, run_id, "Canceled")
        else:
            reason = why or ("the process vanished" if status == -1 else f"the script exited with status {status}")
            runs.set_status(self._workspace, run_id, "Failed", error=f"{reason}\n{tail}".strip())

    async def _on_vm(self, run_id: str, action: Any) -> Any:
        """Run a blocking action with a session; tries again when the VM does not let us in."""
        vm = computes.vm(self._workspace, self._run(run_id)["target"])
        if vm is None:
            raise UnreachableError("the compute target was detached")

        def connected() -> Any:
            with session(vm, self._known_hosts) as opened:
                return action(opened, run_id)

        for attempt in range(SSH_ATTEMPTS):
            with contextlib.suppress(UnreachableError):
                return await asyncio.to_thread(connected)
            if attempt + 1 < SSH_ATTEMPTS:
                await asyncio.sleep(SSH_PAUSE_SECONDS)
        return await asyncio.to_thread(connected)

    def _job(self, run_id: str) -> job.Job:
        definition, execution = self._definition(run_id), self._workspace.store.get(runs.EXECUTION, run_id) or {}
        environment = definition.get("environment") or {}
        return job.Job(
            run_id=run_id,
            interpreter=str((environment.get("python") or {}).get("interpreterPath") or "python3"),
            script=definition["script"],
            arguments=tuple(str(argument) for argument in definition.get("arguments") or []),
            environment=_strings(environment.get("environmentVariables"))
            | _strings(definition.get("environmentVariables"))
            | self._context(run_id),
            files=snapshots.files(self._workspace, execution["snapshot"]) or {},
        )

    def _context(self, run_id: str) -> dict[str, str]:
        """What ``Run.get_context()`` reads."""
        run, who = self._run(run_id), self._workspace.identity
        return {
            "AZUREML_ARM_SUBSCRIPTION": who["subscription_id"],
            "AZUREML_ARM_RESOURCEGROUP": who["resource_group"],
            "AZUREML_ARM_WORKSPACE_NAME": who["workspace"],
            "AZUREML_ARM_PROJECT_NAME": run["experimentName"],
            "AZUREML_RUN_ID": run_id,
            "AZUREML_RUN_TOKEN": self._workspace.token(run_id),
            "AZUREML_RUN_TOKEN_EXPIRY": expiry(TOKEN_SECONDS),
            "AZUREML_SERVICE_ENDPOINT": self._workspace.url,
            "AZUREML_DISCOVERY_SERVICE_ENDPOINT": f"{self._workspace.url}/discovery",
            "AZUREML_WORKSPACE_ID": who["workspace_id"],
            "AZUREML_EXPERIMENT_ID": run["experimentId"],
        }

    def _run(self, run_id: str) -> dict[str, Any]:
        run = self._workspace.store.get(runs.RUN, run_id)
        assert run is not None  # noqa: S101 - runs are never deleted
        return run

    def _definition(self, run_id: str) -> dict[str, Any]:
        definition: dict[str, Any] = (self._workspace.store.get(runs.EXECUTION, run_id) or {})["definition"]
        return definition

    def _cancelled(self, run_id: str) -> bool:
        return bool(self._run(run_id)["status"] == "CancelRequested")


def _refuse_unsupported(configuration: dict[str, Any]) -> None:
    """Refuse what is not done here, instead of ignoring it."""
    docker = ((configuration.get("docker") or {}).get("useDocker")) or (
        ((configuration.get("environment") or {}).get("docker") or {}).get("enabled")
    )
    asked = {
        "docker.useDocker": docker,
        "nodeCount above 1": (configuration.get("nodeCount") or 1) > 1,
        "data": configuration.get("data"),
        "outputData": configuration.get("outputData"),
        "command": configuration.get("command"),
    }
    for name, value in asked.items():
        if value:
            raise ServiceError(400, "UserError", f"{name} is not supported by this stand-in")


def _artifact_path(name: str) -> str | None:
    """Where a file of the run's folder goes; None for what stays behind."""
    if name == "std_log.txt":
        return "user_logs/std_log.txt"
    inner = name.removeprefix("code/")
    return inner if inner != name and inner.startswith(("outputs/", "logs/")) else None


def _tail(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-_LOG_LINES:])


def _strings(values: dict[str, Any] | None) -> dict[str, str]:
    return {key: str(value) for key, value in (values or {}).items()}
