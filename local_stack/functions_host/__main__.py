"""``python -m local_stack.functions_host --app-root DIR --state DIR``: run the host until SIGTERM or Ctrl-C."""

import argparse
import asyncio
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

from local_stack.functions_host.app_loader import AppLoadError
from local_stack.functions_host.binding_checks import FunctionLoadError
from local_stack.functions_host.config import HostConfigError
from local_stack.functions_host.durable.interfaces import HubInUseError
from local_stack.functions_host.keys import KeyFileError
from local_stack.functions_host.routing import RouteError
from local_stack.functions_host.search_path import become_worker
from local_stack.functions_host.server import FunctionsHost, HostOptions
from local_stack.functions_host.triggers.schedule import ScheduleError
from local_stack.logs import log_to
from local_stack.sqlite_files import StateFileError

log = logging.getLogger("functions_host")

_THREADS_END_WITHIN: Final = 1.0  # seconds; idle pool threads end at once
_REFUSALS: Final = (
    AppLoadError,
    FunctionLoadError,
    HostConfigError,
    HubInUseError,
    KeyFileError,
    RouteError,
    ScheduleError,
    StateFileError,
    OSError,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the host; exit code 2 when the app, its configuration or the ports do not allow it to start."""
    options, level = _options(arguments)
    log_to(sys.stderr, level)
    become_worker(options.app_root)
    try:
        asyncio.run(_serve(options))
    except _REFUSALS as error:
        log.error("cannot start: %s", error, exc_info=log.isEnabledFor(logging.DEBUG))
        return 2
    return 0


async def _serve(options: HostOptions) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    host = FunctionsHost.load(options, os.environ)
    await host.start()
    print(f"ready url={host.addresses.url} rpc_url={host.addresses.rpc_url} pid={os.getpid()}", flush=True)
    await stop.wait()
    log.info("stopping grace_s=%g", options.grace.total_seconds())
    await host.stop()


def _options(arguments: Sequence[str] | None) -> tuple[HostOptions, str]:
    parser = argparse.ArgumentParser(prog="python -m local_stack.functions_host", description=__doc__)
    parser.add_argument("--app-root", type=Path, required=True, help="folder with host.json and function_app.py")
    parser.add_argument("--state", type=Path, required=True, help="folder for the store, keys and endpoints.json")
    parser.add_argument("--port", type=int, default=7071, help="public port on 127.0.0.1; 0 picks a free one")
    parser.add_argument("--rpc-port", type=int, default=0, help="port of the keyless listener; 0 picks a free one")
    parser.add_argument("--enforce-keys", action="store_true", help="check access keys as in Azure")
    parser.add_argument(
        "--one-pool",
        action="store_true",
        help="orchestrators and activities share the threads, as in the Python worker",
    )
    parser.add_argument("--grace", type=float, default=10.0, help="seconds running calls get when the host stops")
    parser.add_argument("--log-level", default="INFO", choices=("DEBUG", "INFO", "WARNING", "ERROR"))
    given = parser.parse_args(arguments)
    options = HostOptions(
        app_root=given.app_root.resolve(),
        state=given.state.resolve(),
        port=given.port,
        rpc_port=given.rpc_port,
        enforce_keys=given.enforce_keys,
        one_pool=given.one_pool,
        grace=timedelta(seconds=given.grace),
    )
    return options, given.log_level


def _leave(code: int) -> None:
    """End the process even when a function's thread does not end: Python would wait for it for ever."""
    # Python does not wait for daemon threads either.
    others = [each for each in threading.enumerate() if each is not threading.main_thread() and not each.daemon]
    deadline = time.monotonic() + _THREADS_END_WITHIN
    for thread in others:
        thread.join(timeout=max(0.0, deadline - time.monotonic()))
    left = sum(thread.is_alive() for thread in others)
    if left:
        log.error("LEAVING WITH RUNNING THREADS count=%d; their work is run again if it was durable", left)
        logging.shutdown()
        sys.stdout.flush()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    _leave(main())
