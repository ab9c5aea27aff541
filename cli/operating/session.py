"""What every command that talks to the app has in common: where the app is, ``--json``, and how it ends.

Exit status: 0 done, 1 refused or failed, 2 wrong use, 3 not reachable, 130 interrupted.
"""

import errno
import inspect
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Concatenate, ParamSpec

import typer

from cli.client import AppClient, Place
from cli.client.places import Wanted, find, here, local_endpoints
from cli.client.transport import SECONDS
from cli.operating.screen import Screen
from shared.errors import EdgetrainError
from shared.values.texts import one_line

Arguments = ParamSpec("Arguments")

_PANEL = "Where the app is, and how its answers are shown"
Url = Annotated[
    str, typer.Option(metavar="URL", help="The app's address; see also EDGETRAIN_URL.", rich_help_panel=_PANEL)
]
KeyFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="A file with the app's key, or - for the input; see also EDGETRAIN_KEY.",
        rich_help_panel=_PANEL,
    ),
]
ProfileName = Annotated[
    str, typer.Option(metavar="NAME", help="An app that was logged in to: edgetrain login.", rich_help_panel=_PANEL)
]
Timeout = Annotated[
    float,
    typer.Option(
        metavar="SECONDS", min=0.1, max=3600, help="The longest that an answer may take.", rich_help_panel=_PANEL
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead.", rich_help_panel=_PANEL)]

By = Annotated[
    str, typer.Option("--by", metavar="NAME", help="Who decides; what the request proves is kept beside it.")
]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Wait = Annotated[
    bool, typer.Option("--wait", help="Follow the run to its end; the exit status is that of its outcome.")
]


@dataclass(slots=True)
class Session:
    """One command's app and screen. ``goes_on``: what to say when it is interrupted while the app works on."""

    screen: Screen
    wanted: Wanted
    seconds: float = SECONDS
    goes_on: str = ""
    _app: AppClient | None = None

    @property
    def place(self) -> Place:
        """Where the app is; raises :class:`cli.client.WrongUseError`."""
        return self.app.place

    @property
    def app(self) -> AppClient:
        """The app; raises :class:`cli.client.WrongUseError` when none is named."""
        if self._app is None:
            self._app = AppClient(find(self.wanted, os.environ, here()), seconds=self.seconds)
        return self._app

    def local_stack(self) -> dict[str, Any]:
        """What the local stack in this folder wrote about itself; nothing when the app is another one."""
        found = local_endpoints(here())
        host = found.get("functions_host")
        is_ours = isinstance(host, dict) and str(host.get("url", "")).rstrip("/") == self.place.url
        return found if is_ours else {}

    def close(self) -> None:
        """Give the connection back."""
        if self._app is not None:
            self._app.close()


def remote(command: Callable[Concatenate[Session, Arguments], None]) -> Callable[..., None]:
    """A command that gets a :class:`Session` and the options that belong to it; its errors become exit statuses."""

    @wraps(command)
    def run(
        *args: Any, url: str, key_file: Path | None, profile: str, timeout: float, as_json: bool, **kwargs: Any
    ) -> None:
        session = Session(Screen(as_json=as_json), Wanted(url, key_file, profile), timeout)
        try:
            status = _carried_out(session, lambda: command(session, *args, **kwargs))
        finally:
            session.close()
        if status:
            raise typer.Exit(status)

    own = inspect.signature(command, eval_str=True).parameters
    options = {
        "url": (Url, ""),
        "key_file": (KeyFile, None),
        "profile": (ProfileName, ""),
        "timeout": (Timeout, SECONDS),
        "as_json": (AsJson, False),
    }
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=default)
        for name, (kind, default) in options.items()
    ]
    parameters = [*list(own.values())[1:], *added]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # read by typer
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    del run.__wrapped__
    return run


def _carried_out(session: Session, command: Callable[[], None]) -> int:
    """The exit status of a command; what it has written is out when this returns."""
    try:
        command()
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except typer.Exit as ended:
        return ended.exit_code
    except EdgetrainError as error:
        return session.screen.fail(error)
    except KeyboardInterrupt:
        with suppress(OSError):
            session.screen.hint(*([session.goes_on] if session.goes_on else []))
            print(f"interrupted{'; the app goes on by itself' if session.goes_on else ''}", file=sys.stderr)
        return 130
    except OSError as error:
        return _not_written(error)
    return 0


def _not_written(error: OSError) -> int:
    """Output that cannot be written ends a command, quietly when its reader is gone, such as with ``| head``."""
    if error.errno != errno.EPIPE:
        what = f"{one_line(error.filename)}: " if error.filename else "the output cannot be written: "
        with suppress(OSError):
            print(f"error: {what}{error.strerror}", file=sys.stderr)
    forget_output()
    return 1


def forget_output() -> None:
    """Keep the interpreter from complaining at its end about output that nobody takes."""
    with suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.close(null)
