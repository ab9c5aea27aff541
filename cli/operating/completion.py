"""Names that the shell completes: asked of the app, quickly or not at all.

A name that holds more than letters, digits, dots, hyphens and underscores is not offered: it goes into a shell's line.
"""

import os
import re
from collections.abc import Callable, Iterable
from typing import Final

import typer

from cli.client import AppClient
from cli.client.places import Wanted, find, here
from shared.errors import EdgetrainError

_SECONDS: Final = 2.0
_NAME: Final = re.compile(r"[a-zA-Z0-9][\w.-]{0,254}", re.ASCII)
_MOST: Final = 50
Names = Callable[[AppClient], Iterable[str]]


def complete_pipeline(context: typer.Context, incomplete: str) -> list[str]:
    """Pipelines that begin so."""
    return _asked(context, incomplete, lambda app: (each.name for each in app.pipelines().view.pipelines))


def complete_run(context: typer.Context, incomplete: str) -> list[str]:
    """The newest runs that begin so."""
    return _asked(context, incomplete, lambda app: (each.run_id for each in app.runs(limit=_MOST).view.runs))


def _asked(context: typer.Context, incomplete: str, names: Names) -> list[str]:
    given = context.params
    wanted = Wanted(str(given.get("url") or ""), None, str(given.get("profile") or ""))
    try:
        with AppClient(find(wanted, os.environ, here()), seconds=_SECONDS) as app:
            found = [name for name in names(app) if name.startswith(incomplete) and _NAME.fullmatch(name)]
    except EdgetrainError:
        return []
    return found[:_MOST]
