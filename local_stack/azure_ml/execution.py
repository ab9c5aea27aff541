"""The execution service: accepts a run once per id and queues it per compute target."""

import asyncio
import secrets
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from local_stack.azure_ml import computes, runs, snapshots
from local_stack.azure_ml.answers import WS, ServiceError, body_of
from local_stack.azure_ml.runner import Runner
from local_stack.azure_ml.submission import check_run_id, check_supported
from local_stack.azure_ml.vm_session import RefusedError, VmLink
from local_stack.azure_ml.workspace import Workspace


class Execution:
    """Submissions, and a queue per compute target of which one runs at a time; the rest as of :class:`Runner`."""

    def __init__(self, workspace: Workspace, *, known_hosts: Path | None, patience: float, pace: float) -> None:
        self._workspace = workspace
        self._known_hosts = known_hosts
        self._patience, self._pace = patience, pace
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
        # What is under way on a VM first: it must not queue behind what only waits.
        pending = [run for run in self._workspace.store.all(runs.RUN) if run["status"] not in runs.TERMINAL]
        for run in sorted(pending, key=lambda run: run["status"] in runs.WAITING):
            self._launch(run["runId"])
        for run in self._workspace.store.all(runs.RUN):
            execution = self._workspace.store.get(runs.EXECUTION, run["runId"]) or {}
            if run["status"] in runs.TERMINAL and execution.get("left_on_vm"):
                self._keep(self._sweep(run["runId"]), f"sweep {run['runId']}")

    async def stop(self) -> None:
        """Stop watching; processes on VMs go on and are found again by :meth:`resume`."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _submit(self, request: web.Request) -> web.Response:
        body, name = await body_of(request), request.match_info["exp"]
        configuration = body.get("Configuration") or {}
        run_id = check_run_id(request.query.get("runId") or f"{name}_{len(self._workspace.store.all(runs.RUN)) + 1}")
        if self._workspace.store.get(runs.RUN, run_id) is not None:
            raise ServiceError(409, "Conflict", f"Run {run_id} already exists")
        check_supported(configuration)
        if snapshots.files(self._workspace, str(body.get("SnapshotId"))) is None:
            raise ServiceError(400, "UserError", f"Snapshot {body.get('SnapshotId')} was not found")
        if computes.vm(self._workspace, str(configuration.get("target"))) is None:
            raise ServiceError(400, "UserError", f"Compute target {configuration.get('target')} was not found")
        # The execution first: a run that exists can be executed, also after a crash right here. Nothing is awaited
        # between the look-up and the creation, so an id is taken once.
        execution = {
            "owner": secrets.token_hex(16),
            "snapshot": body["SnapshotId"],
            "definition": configuration,
            "trainings": 0,
        }
        self._workspace.store.put(runs.EXECUTION, run_id, execution)
        runs.create_run(self._workspace, name, run_id, target=configuration["target"])
        self._launch(run_id)
        return web.json_response({"runId": run_id})

    async def _cancel(self, request: web.Request) -> web.Response:
        """Repeatable. A run that has not had its turn ends at once; one that has ended stays as it is."""
        run_id = request.match_info["run"]
        run = self._workspace.store.get(runs.RUN, run_id)
        if run is None:
            raise ServiceError(404, "UserError", f"Run {run_id} was not found")
        status = "Canceled" if run["status"] in runs.WAITING else "CancelRequested"
        runs.set_status(self._workspace, run_id, status)
        return web.json_response({"runId": run_id})

    def _launch(self, run_id: str) -> None:
        self._keep(self._take_turn(run_id), f"run {run_id}")

    def _keep(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _take_turn(self, run_id: str) -> None:
        run = self._run(run_id)
        if run["status"] == "NotStarted":
            runs.set_status(self._workspace, run_id, "Queued")
        async with self._turns.setdefault(run["target"], asyncio.Lock()):
            if self._run(run_id)["status"] in runs.TERMINAL:
                return
            with self._runner(run_id) as runner:
                await runner.execute()
        # Outside the turn: a VM that is away must not hold up the runs behind.
        await self._sweep(run_id)

    async def _sweep(self, run_id: str) -> None:
        with self._runner(run_id) as runner:
            await runner.sweep()

    @contextmanager
    def _runner(self, run_id: str) -> Iterator[Runner]:
        target = self._run(run_id)["target"]
        link = VmLink(
            lambda: self._vm(target), known_hosts=self._known_hosts, own_hosts=self._workspace.folder / "known_hosts"
        )
        try:
            yield Runner(self._workspace, run_id, link, self._patience, self._pace)
        finally:
            link.close()

    def _vm(self, target: str) -> computes.Vm:
        vm = computes.vm(self._workspace, target)
        if vm is None:
            raise RefusedError(f"the compute target {target} was detached")
        return vm

    def _run(self, run_id: str) -> dict[str, Any]:
        run = self._workspace.store.get(runs.RUN, run_id)
        assert run is not None  # noqa: S101 - runs are never deleted
        return run
