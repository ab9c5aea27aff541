"""One run, from its turn on the VM to its end. It can be interrupted at any point and resumed, also by another process.

The progress is in the run's execution document: ``touched`` (something may be on the VM), ``started``, then ``ended``
(exit status and our reason), then ``tail`` (everything was collected). The process on the VM is started once, see
:mod:`local_stack.azure_ml.job`.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from local_stack.azure_ml import artifacts, blobs, job, runs
from local_stack.azure_ml.submission import job_of
from local_stack.azure_ml.vm_session import CommandError, RefusedError, UnreachableError, VmLink, VmSession
from local_stack.azure_ml.workspace import Workspace

log = logging.getLogger("azure_ml.runner")

Result = TypeVar("Result")

LOG_ARTIFACT: Final = "user_logs/std_log.txt"
_LOG_LINES: Final = 8


class CancelledBeforeStartError(Exception):
    """The run was cancelled while the VM was not reached yet."""


@dataclass(frozen=True, slots=True)
class Runner:
    """Executes one run.

    ``patience``: seconds for which a VM may be out of reach before the run fails. ``pace``: seconds between two looks
    at the process, and half of those between two attempts to reach the VM.
    """

    workspace: Workspace
    run_id: str
    link: VmLink
    patience: float
    pace: float

    async def execute(self) -> None:
        """Do what is left to do; the run has a terminal status afterwards."""
        try:
            await self._execute()
        except CancelledBeforeStartError:
            self._set("Canceled")
        except UnreachableError as error:
            touched = self._execution().get("touched", False)
            remark = "; its process may still run there" if touched else ""
            self._note(left_on_vm=touched)
            self._set("Failed", error=f"{error}; check that the VM is up and that its key is right{remark}")
        except Exception as error:
            log.exception("run %s", self.run_id)
            if self._execution().get("touched"):
                await self._clean_up()
            self._set("Failed", error=f"the execution service failed: {error}")

    async def sweep(self) -> None:
        """Remove what a run left on a VM that was out of reach when it ended, as soon as the VM lets us in again."""
        while self._execution().get("left_on_vm"):
            try:
                await asyncio.to_thread(self.link.call, lambda vm: job.kill(vm, self.run_id))
                await asyncio.to_thread(self.link.call, lambda vm: job.remove(vm, self.run_id))
            except RefusedError as error:
                log.warning("run %s: %s stays on the VM: %s", self.run_id, job.folder(self.run_id), error)
                return
            except (UnreachableError, CommandError):
                await asyncio.sleep(2 * self.pace)
            else:
                self._note(left_on_vm=False)

    async def _execute(self) -> None:
        if self._cancelled():
            if not self._execution().get("touched"):
                raise CancelledBeforeStartError
        elif not self._execution().get("started"):
            await self._start()
        self._set("Running")
        if "ended" not in self._execution():
            self._note(ended=await self._watch())
        self._set("Finalizing")
        if "tail" not in self._execution():
            self._note(tail=await self._on_vm(self._collect))
        await self._clean_up()
        self._end(self._execution()["ended"], self._execution()["tail"])

    async def _start(self) -> None:
        self._set("Preparing")
        asked = job_of(self.workspace, self._run(), self._execution())

        def begin(vm: VmSession) -> bool:
            self._note(touched=True)
            return job.start(vm, asked, self.workspace.ca_bundle)

        now = await self._on_vm(begin)
        # "Before" with no count: our predecessor died between the start and this line.
        trainings = self._execution()["trainings"]
        self._note(started=True, trainings=trainings + 1 if now else max(trainings, 1))

    async def _watch(self) -> dict[str, Any]:
        """How it ended: its exit status, or why we ended it. Looks at the process until it is gone."""
        artifacts.add(self.workspace, "ExperimentRun", f"dcid.{self.run_id}", LOG_ARTIFACT)
        limit = float(self._execution()["definition"].get("maxRunDurationSeconds") or 0)
        while True:
            if self._cancelled():
                return await self._kill("")
            if limit and self._running_for() > limit:
                return await self._kill(f"the run took longer than maxRunDurationSeconds of {limit:g}")
            status = await self._on_vm(lambda vm: job.poll(vm, self.run_id, self._log_file()))
            if status is not None:
                return {"status": status}
            await asyncio.sleep(self.pace)

    async def _kill(self, reason: str) -> dict[str, Any]:
        return {"reason": reason, "gone": await self._on_vm(lambda vm: job.kill(vm, self.run_id))}

    def _collect(self, vm: VmSession) -> str:
        """Store the log and the outputs as artifacts; the end of the log."""
        folder, container = job.folder(self.run_id), f"dcid.{self.run_id}"
        vm.follow(f"{folder}/{job.LOG}", self._log_file())
        for top in ("outputs", "logs"):
            for name in vm.files(f"{folder}/code/{top}"):
                key = f"ExperimentRun/{container}/{top}/{name}"
                vm.download(f"{folder}/code/{top}/{name}", blobs.file_of(self.workspace, artifacts.blob_path(key)))
                artifacts.add(self.workspace, "ExperimentRun", container, f"{top}/{name}")
        return _tail(self._log_file())

    async def _clean_up(self) -> None:
        try:
            await self._on_vm(lambda vm: job.kill(vm, self.run_id))  # what the script left running
            await self._on_vm(lambda vm: job.remove(vm, self.run_id))
        except (UnreachableError, CommandError) as error:
            log.warning("run %s: %s stays on the VM for now: %s", self.run_id, job.folder(self.run_id), error)
            self._note(left_on_vm=True)

    def _end(self, ended: dict[str, Any], tail: str) -> None:
        status, reason = ended.get("status"), ended.get("reason")
        if status == 0:
            self._set("Completed")
        elif status is not None:
            said = "the process vanished" if status == job.VANISHED else f"the script exited with status {status}"
            self._set("Failed", error=f"{said}\n{tail}".strip())
        elif ended["gone"]:
            # The SDK documents the limit as a cancellation by the service.
            self._set("Canceled", error=f"{reason}\n{tail}".strip() if reason else None)
        else:
            self._set("Failed", error=f"{reason or 'the run was cancelled'}, but its process could not be ended")

    async def _on_vm(self, action: Callable[[VmSession], Result]) -> Result:
        """Run a blocking, repeatable action on the VM; tries again for a while when it is out of reach."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.patience
        while True:
            try:
                return await asyncio.to_thread(self.link.call, action)
            except RefusedError:
                raise
            except UnreachableError:
                if self._cancelled() and not self._execution().get("touched"):
                    raise CancelledBeforeStartError from None
                if loop.time() >= deadline:
                    raise
            await asyncio.sleep(2 * self.pace)

    def _running_for(self) -> float:
        """Seconds since the run reached Running, also across a restart of ours."""
        began = self._run().get("startTimeUtc")
        return (datetime.now(UTC) - datetime.fromisoformat(began)).total_seconds() if began else 0.0

    def _log_file(self) -> Path:
        key = f"ExperimentRun/dcid.{self.run_id}/{LOG_ARTIFACT}"
        return blobs.file_of(self.workspace, artifacts.blob_path(key))

    def _run(self) -> dict[str, Any]:
        return _present(self.workspace.store.get(runs.RUN, self.run_id))

    def _execution(self) -> dict[str, Any]:
        return _present(self.workspace.store.get(runs.EXECUTION, self.run_id))

    def _note(self, **facts: Any) -> None:
        self.workspace.store.change(runs.EXECUTION, self.run_id, lambda execution: execution.update(facts))

    def _cancelled(self) -> bool:
        return bool(self._run()["status"] == "CancelRequested")

    def _set(self, status: str, *, error: str | None = None) -> None:
        runs.set_status(self.workspace, self.run_id, status, error=error)


def _present(document: dict[str, Any] | None) -> dict[str, Any]:
    assert document is not None  # noqa: S101 - runs are never deleted
    return document


def _tail(path: Path) -> str:
    """The last lines of a log that may be large or missing."""
    if not path.exists():
        return ""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - 8192))
        return "\n".join(stream.read().decode("utf-8", errors="replace").splitlines()[-_LOG_LINES:])
