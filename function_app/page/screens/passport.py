"""The passport of a version, for people: where it comes from, how it was judged, where it went.

Bounded: the ledger is asked once, and the registry for what is attached to the image.
"""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from function_app.api.handlers import Page
from function_app.api.hub_threads import Other, at_a_registry, in_time
from function_app.api.passports import get_passport
from function_app.composition import Services
from function_app.page.serving import Asked
from shared.signing.passport_page import sections

PATIENCE: Final = 20.0
"""Seconds that the page waits for the registry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passport:
    """``chapters``: each a heading and what stands below it, names and values; ``commands``: to check it."""

    model: str
    version: str
    commands: tuple[str, ...]
    chapters: Sequence[tuple[str, Sequence[tuple[str, Any]]]]
    document: str


async def view(asked: Asked, services: Services) -> Passport:
    """The passport of the version that the address names."""
    model, version = asked.route["model"], asked.route["version"]
    asked_for = at_a_registry(get_passport, model, version, "application/json", services)
    found = await in_time(asked_for, PATIENCE, who=Other.REGISTRY)
    assert not isinstance(found, Page)  # noqa: S101 - JSON was asked for
    document = found.passport
    return Passport(
        model=model,
        version=version,
        commands=(
            f"edgetrain passport show {_run_of(document)} --save passport.html",
            "edgetrain passport verify passport.html --key KEY.pub",
        ),
        chapters=[(heading, list(rows)) for heading, rows in sections(document)],
        document=json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True),
    )


def _run_of(document: Mapping[str, Any]) -> str:
    """The run's id, for a command that people copy."""
    run = document.get("run")
    return shlex.quote(str(run.get("run_id", ""))) if isinstance(run, Mapping) else "RUN"
