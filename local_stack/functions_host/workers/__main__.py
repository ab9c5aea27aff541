"""One worker process: loads the app and answers the host's calls until the host is gone. Only the host starts it."""

import argparse
import asyncio
import os
import socket
import sys
from pathlib import Path

from local_stack.functions_host.app_loader import DEFAULT_SCRIPT, load_app
from local_stack.functions_host.config import ONE_CORE_THREADS, is_disabled, load_host_config, thread_count
from local_stack.functions_host.invoker import AppInvoker, FunctionFailedError
from local_stack.functions_host.search_path import become_worker
from local_stack.functions_host.workers.frames import Answer, Call, Kind, read_frame, write_frame
from local_stack.logs import log_to


class Worker:
    """The app of this process, and the line to the host."""

    def __init__(self, invoker: AppInvoker, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._invoker = invoker
        self._reader = reader
        self._writer = writer
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        """Until the host's end of the line is closed."""
        write_frame(self._writer, Answer(0, Kind.READY))
        while True:
            try:
                call = await read_frame(self._reader)
            except EOFError:
                return
            task = asyncio.create_task(self._answer(call))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer(self, call: Call) -> None:
        try:
            answer = Answer(call.number, await self._value(call))
        except Exception as error:  # noqa: BLE001 - it is raised again in the host
            answer = Answer(call.number, error=error.with_traceback(None))
        write_frame(self._writer, answer)

    async def _value(self, call: Call) -> object:
        if call.kind is Kind.ORCHESTRATOR:
            return await asyncio.to_thread(self._invoker.run_orchestrator, *call.arguments)
        if call.kind is Kind.ACTIVITY:
            return await self._invoker.run_activity(*call.arguments)
        name, data, metadata = call.arguments
        function = next((each for each in self._invoker.functions if each.key == name), None)
        if function is None:
            raise FunctionFailedError(f"RuntimeError: this worker has no function {name!r}")
        return await self._invoker.run_trigger(function, data, metadata)


async def _serve(line: socket.socket, root: Path, binding: str, *, one_pool: bool) -> None:
    script = os.environ.get("PYTHON_SCRIPT_FILE_NAME", DEFAULT_SCRIPT)
    functions = load_app(root, script=script, is_disabled=lambda name: is_disabled(name, os.environ))
    invoker = AppInvoker(
        functions,
        client_binding=lambda: binding,
        timeout=load_host_config(root, os.environ).function_timeout,
        threads=thread_count(os.environ) or (ONE_CORE_THREADS if one_pool else None),
        one_pool=one_pool,
    )
    reader, writer = await asyncio.open_connection(sock=line)
    await Worker(invoker, reader, writer).serve()


def main() -> None:
    """Serve; then end at once, for the host that waited for running calls has ended too."""
    parser = argparse.ArgumentParser(prog="python -m local_stack.functions_host.workers", description=__doc__)
    parser.add_argument("--line", type=int, required=True, help="number of the open socket to the host")
    parser.add_argument("--app-root", type=Path, required=True, help="folder with host.json and function_app.py")
    parser.add_argument("--one-pool", action="store_true", help="as the host's")
    parser.add_argument("--log-level", required=True, help="as the host's")
    given = parser.parse_args()
    log_to(sys.stderr, given.log_level)
    binding = sys.stdin.readline()
    become_worker(given.app_root)
    asyncio.run(_serve(socket.socket(fileno=given.line), given.app_root, binding, one_pool=given.one_pool))


if __name__ == "__main__":
    try:
        main()
    finally:
        sys.stderr.flush()
        os._exit(0)
