"""Tell the whole story: ``python -m local_stack.demo`` (or ``make demo``)."""

import argparse
import json
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from cli.terminal import heed_interrupts
from local_stack.demo.delivery import deliver_with_care
from local_stack.demo.naive import ROOT_SETTING, prepare_naive, write_app_root
from local_stack.demo.screen import Screen
from local_stack.demo.story import Story
from local_stack.page_link import page_lines
from local_stack.prepare import prepare
from local_stack.supervisor import Stack
from local_stack.supervisor.logs import tail

_TROUBLES: Final = 5  # lines of each service


def main() -> int:
    """Run the story in a state folder of its own; 0 only if everything in it held."""
    heed_interrupts()
    arguments = _arguments()
    # A second way to be asked to stop: behave as for Ctrl-C, so that everything is taken down.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    screen = Screen()
    began = time.monotonic()
    try:
        summary = _tell(screen, arguments.state, arguments.cache, short=arguments.short, page=arguments.page)
    except KeyboardInterrupt:
        screen.say("stopped; nothing is left running")
        return 130
    except Exception as error:  # noqa: BLE001 - the end of the program: whatever went wrong is told, not traced
        screen.say(f"the demo failed: {error}")
        _show_troubles(screen, arguments.state / "logs")
        summary = {"demo": "failed", "error": str(error).splitlines()[0][:300] if str(error) else type(error).__name__}
    screen.say(f"took {time.monotonic() - began:.0f} s")
    sys.stdout.write(json.dumps(summary) + "\n")
    return 0 if summary["demo"] == "ok" else 1


def _show_troubles(screen: Screen, logs: Path) -> None:
    """What the services wrote last of warnings and errors, since a state folder does not last for ever."""
    for log in sorted(logs.glob("*.log")):
        troubles = [line for line in tail(log, 200) if " ERROR " in line or " WARNING " in line]
        for line in troubles[-_TROUBLES:]:
            screen.say(f"      {log.stem}: {line}")
    screen.say(f"logs: {logs}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local_stack.demo", description=__doc__)
    parser.add_argument("--state", type=Path, default=Path(".local/demo"), help="wiped first (default: %(default)s)")
    parser.add_argument("--cache", type=Path, default=Path(".local/cache"), help="kept between runs")
    parser.add_argument(
        "--short", action="store_true", help="without approval, canary, roll-back and the naive scripts"
    )
    parser.add_argument("--page", action="store_true", help="leave the page open at the end, until Ctrl-C")
    return parser.parse_args()


def _tell(screen: Screen, state: Path, cache: Path, *, short: bool, page: bool) -> dict[str, Any]:
    with screen.showing():
        if state.exists():
            with screen.step("wipe what the last demo left"):
                Stack.clean(state)
                shutil.rmtree(state, ignore_errors=True)
        app_root = state.resolve() / "app"
        with screen.step("start the local stack") as step:
            write_app_root(app_root)
            if not short:
                deliver_with_care(app_root)
            settings = {ROOT_SETTING: str(app_root)}
            stack = Stack.start(
                state, cache=cache, progress=lambda text: screen.note(step, text), app_settings=settings
            )
        try:
            with screen.step("prepare images and the VM (long only the first time)") as step:
                prepare(
                    stack.endpoints,
                    ["breast-cancer"],
                    cache=cache,
                    progress=lambda text, step=step: screen.note(step, text),  # type: ignore[misc]
                )
                if not short:
                    prepare_naive(stack.endpoints, app_root, cache)
            story = Story(screen, stack.endpoints, stack.state, app_root, short)
            summary = story.tell()
            story.show_places()
            if page:
                _stay_open(screen, stack.endpoints)
        finally:
            with screen.step("stop everything that was started"):
                stack.stop()
    return summary


def _stay_open(screen: Screen, endpoints: dict[str, Any]) -> None:
    """Until Ctrl-C, which is no failure here."""
    for line in page_lines(endpoints):
        screen.say(line)
    screen.say("it stays open; Ctrl-C stops everything")
    with suppress(KeyboardInterrupt):
        while True:
            time.sleep(3600)


if __name__ == "__main__":
    sys.exit(main())
