"""The local stack on the command line: ``python -m local_stack up | down | status | logs | clean``."""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from cli.terminal import heed_interrupts
from local_stack.files import read_object
from local_stack.logs import shown_lines
from local_stack.stack_hub.engine import NoEngineError
from local_stack.supervisor import InUseError, ServiceError, Stack, lifecycle, record
from local_stack.supervisor.detached import REFRESH, start_detached
from local_stack.supervisor.layout import Layout
from local_stack.supervisor.logs import tail
from local_stack.supervisor.ports import NoFreePortError
from local_stack.supervisor.refresh import app_digest, refresh
from local_stack.supervisor.service import State
from local_stack.supervisor.serving import addresses, pipeline_files
from local_stack.supervisor.table import render
from shared.values.texts import one_line

_REFRESH = 1.0
_REFUSALS = (InUseError, ServiceError, NoFreePortError, NoEngineError, lifecycle.LifecycleError, OSError)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status is 0 when it did what was asked, and 130 after Ctrl-C."""
    heed_interrupts()
    options = _parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except KeyboardInterrupt:
        print("stopped; nothing is left running")
        return 130
    except BrokenPipeError:  # whoever read our output has gone
        return 1
    except _REFUSALS as error:
        print(f"local_stack: {one_line(error)}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local_stack", description="The local stack.")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--state", type=Path, default=Path(".local"), help="the state folder (default: %(default)s)")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    up = commands.add_parser("up", parents=[shared], help="start everything; Ctrl-C stops it")
    up.add_argument("--detach", action="store_true", help="return when all is ready, and leave it running")
    up.add_argument("--cache", type=Path, help="folder for downloads (default: cache in the state folder)")
    up.add_argument("--only", action="append", metavar="NAME", help="only this service and what it needs; repeatable")
    up.add_argument(
        "--identity", action="store_true", help="the app logs in with its identity where it can, not with keys"
    )
    up.set_defaults(command=_up)

    down = commands.add_parser("down", parents=[shared], help="stop everything, and keep its state")
    down.set_defaults(command=_down)

    status = commands.add_parser(
        "status", parents=[shared], help="show what runs where; exit status 3 if a service does not run"
    )
    status.set_defaults(command=_status)

    log = commands.add_parser("logs", parents=[shared], help="show the end of a service's log")
    log.add_argument("name", metavar="NAME", help="a service; also keeper or supervisor")
    log.add_argument("-n", "--lines", type=int, default=50, help="how many lines (default: %(default)s)")
    log.add_argument("-f", "--follow", action="store_true", help="keep showing new lines")
    log.set_defaults(command=_logs)

    clean = commands.add_parser("clean", parents=[shared], help="stop everything and delete the state folder")
    clean.set_defaults(command=_clean)
    return parser


def _up(options: argparse.Namespace) -> int:
    how = {"cache": options.cache, "only": options.only, "by_identity": options.identity}
    if options.detach:
        layout = Layout.at(options.state)
        started = start_detached(layout, say=_say, **how)
        if started:
            _say(f"endpoints and keys: {layout.endpoints}")
        return 0 if started else 1
    stop, asked = threading.Event(), threading.Event()
    # Asked to stop in good order, as `down` does: the same end as Ctrl-C, and not an error.
    signal.signal(signal.SIGTERM, lambda _number, _frame: _interrupt(stop))
    signal.signal(REFRESH, lambda _number, _frame: asked.set())
    digest = app_digest()
    try:
        with Stack.start(options.state, progress=_say, **how) as stack:
            stack.takes_refreshes()
            _say(f"ready; endpoints and keys: {stack.state}/endpoints.json")
            while not stop.wait(_REFRESH):
                if asked.is_set():
                    asked.clear()
                    digest = refresh(stack, digest, _say)
                    stack.was_refreshed()
                _ = stack.endpoints  # a pipeline may have got its serving endpoint
            _say("stopping")
    except KeyboardInterrupt:
        if not stop.is_set():
            raise
    return 0


def _interrupt(stop: threading.Event) -> None:
    stop.set()
    raise KeyboardInterrupt


def _say(line: str) -> None:
    print(one_line(line), flush=True)


def _down(options: argparse.Namespace) -> int:
    print("stopped" if lifecycle.down(Layout.at(options.state)) else "nothing was running")
    return 0


def _status(options: argparse.Namespace) -> int:
    running = record.read(Layout.at(options.state))
    if running is None or not running.is_supervised():
        print("the stack is not running; start it with: make up")
        return 3
    print(render(running.services))
    for line in addresses(read_object(Layout.at(options.state).endpoints), pipeline_files()):
        print(line)
    return 0 if all(service.state is State.READY for service in running.services) else 3


def _logs(options: argparse.Namespace) -> int:
    log = Layout.at(options.state).logs / f"{options.name}.log"
    if not log.is_file():
        names = sorted(file.stem for file in log.parent.glob("*.log") if "." not in file.stem)
        raise FileNotFoundError(f"no log of {options.name!r}; there are: {', '.join(names) or 'none'}")
    if options.follow:
        os.execvp("tail", ["tail", "-n", str(options.lines), "-F", str(log)])  # noqa: S606  it becomes tail
    for line in tail(log, options.lines):
        print(shown_lines(line))
    return 0


def _clean(options: argparse.Namespace) -> int:
    lifecycle.clean(Layout.at(options.state))
    return 0


if __name__ == "__main__":
    sys.exit(main())
