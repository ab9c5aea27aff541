"""How our command-line tools talk: progress lines, one sentence for an error, a clean end on Ctrl-C."""

import signal
import sys
import time
from collections.abc import Callable

from shared.errors import EdgetrainError
from shared.texts import one_line


def progress() -> Callable[[str], None]:
    """Says lines with the seconds since now."""
    start = time.monotonic()

    def say(line: str) -> None:
        print(f"[{time.monotonic() - start:6.1f} s] {one_line(line)}", flush=True)

    return say


def run_tool(main: Callable[[list[str]], None]) -> None:
    """Run a tool with the command line's arguments and end the process: 0, 1 on an error, 130 when interrupted."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # Started in the background by a shell without job control; it must still be possible to stop it in good order.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        main(sys.argv[1:])
    except EdgetrainError as error:
        print(f"error: {one_line(error)}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted; nothing half done was left behind", file=sys.stderr)
        sys.exit(130)
