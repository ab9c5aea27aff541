"""The invoker of a host with several worker processes: every call goes to the next of them in turn.

As on the real host: the first worker is waited for at a start, the others join when they are ready; one that dies is
replaced. What a durable function was doing in it is done again in another; an event's function has failed.
"""

import asyncio
import itertools
import logging
import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from azure.functions.meta import Datum

from local_stack.functions_host.functions import HostedFunction
from local_stack.functions_host.invoker import AppInvoker, FunctionFailedError
from local_stack.functions_host.search_path import own_folder
from local_stack.functions_host.workers.frames import Answer, Call, Kind, read_frame, write_frame

log = logging.getLogger("functions_host.workers")

_TRIES: Final = 3
_STARTS_IN_A_ROW: Final = 3
"""So often a worker that ends before it is ready is started again; then the host goes on with the others."""


class WorkerGoneError(Exception):
    """The worker process ended while it had the call."""


@dataclass(frozen=True, slots=True)
class WorkerPlan:
    """How many workers, over which app."""

    count: int
    app_root: Path
    one_pool: bool = False


class WorkerProcess:
    """One worker, as the host sees it."""

    def __init__(self, process: asyncio.subprocess.Process, writer: asyncio.StreamWriter) -> None:
        self._process = process
        self._writer = writer
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._numbers = itertools.count(1)
        self.calls = 0

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @classmethod
    async def start(cls, plan: WorkerPlan, binding: str) -> "tuple[WorkerProcess, asyncio.StreamReader]":
        """Start the process; it is ready when its first frame comes."""
        ours, theirs = socket.socketpair()
        with theirs:
            level = logging.getLevelName(logging.getLogger().getEffectiveLevel())
            arguments = ["--line", str(theirs.fileno()), "--app-root", str(plan.app_root), "--log-level", level]
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "local_stack.functions_host.workers",
                *arguments,
                *(["--one-pool"] if plan.one_pool else []),
                cwd=own_folder(),
                env=dict(os.environ),
                pass_fds=[theirs.fileno()],
                stdin=asyncio.subprocess.PIPE,  # by which the key in the binding stays off the command line
            )
        if process.stdin is not None:
            process.stdin.write(binding.encode() + b"\n")
            process.stdin.close()
        reader, writer = await asyncio.open_connection(sock=ours)
        return cls(process, writer), reader

    async def call(self, kind: Kind, arguments: tuple[Any, ...]) -> Any:
        """What the worker's method gives or raises. Raises :class:`WorkerGoneError` when it ends instead."""
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        self.calls += 1
        try:
            write_frame(self._writer, Call(number, kind, arguments))
            return await answer
        finally:
            del self._waiting[number]

    async def listen(self, reader: asyncio.StreamReader) -> int:
        """Hand out answers until the process ends; its exit code."""
        try:
            while True:
                self._hand_out(await read_frame(reader))
        except EOFError:
            return await self._process.wait()
        finally:
            for waiting in list(self._waiting.values()):
                if not waiting.done():
                    waiting.set_exception(WorkerGoneError(f"worker {self.pid} ended"))
            self._writer.close()

    async def end(self) -> None:
        """Close the line, upon which it ends by itself."""
        self._writer.close()
        await self._process.wait()

    def _hand_out(self, answer: Answer) -> None:
        waiting = self._waiting.get(answer.number)
        if waiting is None or waiting.done():
            return
        if answer.error is None:
            waiting.set_result(answer.value)
        else:
            waiting.set_exception(answer.error)


class ScaledInvoker(AppInvoker):
    """The host's door to an app that runs in several processes."""

    def __init__(
        self, functions: Sequence[HostedFunction], *, client_binding: Callable[[], str], plan: WorkerPlan
    ) -> None:
        super().__init__(functions, client_binding=client_binding)
        self._plan = plan
        self._ready: list[WorkerProcess] = []
        self._turn = itertools.count()
        self._someone = asyncio.Event()
        self._keepers: list[asyncio.Task[None]] = []
        self._loop = asyncio.get_running_loop()

    def processes(self) -> list[dict[str, int]]:
        """Those that are ready."""
        return [{"pid": worker.pid, "calls": worker.calls} for worker in self._ready]

    async def start(self) -> None:
        """Start them all; back as soon as one is ready. Raises ``OSError`` when none can be."""
        self._keepers = [asyncio.create_task(self._keep()) for _ in range(self._plan.count)]
        ready = asyncio.create_task(self._someone.wait())
        given_up = asyncio.create_task(asyncio.wait(self._keepers))
        waits: list[asyncio.Task[Any]] = [ready, given_up]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        if not ready.done():
            raise OSError("no worker process could load the app; their log is above")

    async def stop(self) -> None:
        """End them all."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        self.close()

    def run_orchestrator(self, name: str, request: str) -> str:
        """Replay an orchestrator once, in a worker."""
        call = self._again_elsewhere(Kind.ORCHESTRATOR, (name, request))
        return str(asyncio.run_coroutine_threadsafe(call, self._loop).result())

    async def run_activity(self, name: str, input_json: str, instance_id: str) -> str:
        """Run an activity in a worker."""
        self._running += 1
        try:
            return str(await self._again_elsewhere(Kind.ACTIVITY, (name, input_json, instance_id)))
        finally:
            self._running -= 1

    async def run_trigger(
        self, function: HostedFunction, data: Datum, metadata: Mapping[str, Datum] | None = None
    ) -> Datum | None:
        """Run a function in a worker, for an event that came from outside."""
        self._running += 1
        try:
            worker = await self._next()
            value: Datum | None = await worker.call(Kind.TRIGGER, (function.key, data, dict(metadata or {})))
        except WorkerGoneError as error:
            raise FunctionFailedError(f"WorkerProcessExitException: {error}") from error
        else:
            return value
        finally:
            self._running -= 1

    async def _again_elsewhere(self, kind: Kind, arguments: tuple[Any, ...]) -> Any:
        """Durable functions run at least once: what a dead worker had is given to another."""
        for left in reversed(range(_TRIES)):
            worker = await self._next()
            try:
                return await worker.call(kind, arguments)
            except WorkerGoneError:
                log.warning("worker ended with a call pid=%d kind=%s name=%s", worker.pid, kind, arguments[0])
                if not left:
                    raise
        raise AssertionError  # the loop returns or raises

    async def _next(self) -> WorkerProcess:
        while not self._ready:  # the last one may end between its being ready and this
            await self._someone.wait()
        return self._ready[next(self._turn) % len(self._ready)]

    async def _keep(self) -> None:
        """One worker, and another in its place whenever it ends."""
        failures = 0
        while failures < _STARTS_IN_A_ROW:
            worker, reader = await WorkerProcess.start(self._plan, self._client_binding())
            try:
                await read_frame(reader)
                self._join(worker)
                failures = 0
            except EOFError:
                failures += 1
            try:
                code = await worker.listen(reader)
                log.error("worker process ended pid=%d exit_code=%d", worker.pid, code)
            finally:
                self._leave(worker)
                await worker.end()

    def _join(self, worker: WorkerProcess) -> None:
        self._ready.append(worker)
        self._someone.set()
        log.info("worker process ready pid=%d of=%d", worker.pid, self._plan.count)

    def _leave(self, worker: WorkerProcess) -> None:
        if worker in self._ready:
            self._ready.remove(worker)
        if not self._ready:
            self._someone.clear()
