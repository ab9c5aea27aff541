"""Run the checks: all of them, those of a site, those that need no deployed app."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from pydantic import SecretStr, ValidationError
from pydantic_settings import SettingsError

from function_app.composition import Services
from function_app.doctor import scope
from function_app.doctor.catalogue import every_check
from shared.doctor import Check, Finding, Hidden, Kind, State, looks, run
from shared.errors import PermanentError, TransientError
from shared.settings import Settings

_TURN: Final = threading.Lock()
"""One examination at a time in a process: each may use as many threads as the runner allows."""
WAITS: Final = 60.0
"""Seconds for one's turn: whoever waits holds a thread, and with the examination itself it stays below a request's."""

_UNREADABLE: Final = (ValidationError, SettingsError, PermanentError)
"""What reading the settings raises when they are not as they should be."""

_OF_KINDS: Final = frozenset({"private_key", "pull_password", "client_secret", "password", "secret", "key", "token"})
"""Settings of targets that are secrets; a target's settings are plain until the model of its kind reads them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to examine. ``site``: only this one and what its pipelines use. ``deployed``: the app runs already."""

    site: str = ""
    deployed: bool = True


def examine(services: Services, wanted: Wanted | None = None) -> tuple[Finding, ...]:
    """One finding for each check and subject; never raises for what is wrong.

    Raises :class:`TransientError` when another examination takes too long.
    """
    asked = wanted or Wanted()
    checks = [check for check in every_check() if asked.deployed or check.before_deployment]
    with _turn():
        try:
            subjects = scope.of_site(services, asked.site) if asked.site else scope.everything(services)
        except _UNREADABLE:
            return _without_settings(checks, services)
        return run(looks(checks, services, subjects), hidden=hidden(services.settings))


@contextmanager
def _turn() -> Iterator[None]:
    if not _TURN.acquire(timeout=WAITS):
        raise TransientError("the doctor examines already for somebody else; ask again in two minutes")
    try:
        yield
    finally:
        _TURN.release()


def hidden(settings: Settings) -> Hidden:
    """Makes texts safe: no secret of the settings stands in them."""
    return Hidden(_secrets(settings.model_dump()))


def known_sites(services: Services) -> list[str]:
    """The sites that may be asked about; none when the settings cannot be read."""
    try:
        return list(scope.everything(services)[Kind.SITE])
    except _UNREADABLE:
        return []


def _without_settings(checks: list[Check[Services]], services: Services) -> tuple[Finding, ...]:
    """What can be said while the settings cannot be read: only that."""
    of_settings = [check for check in checks if check.about is Kind.APP and check.name.startswith("settings.")]
    found = run(looks(of_settings, services, {Kind.APP: [""]}))
    return tuple(each for each in found if each.check == "settings.complete" or each.state is not State.UNKNOWN)


def _secrets(value: Any, name: str = "") -> Iterator[str]:
    """Every secret in the settings, and what a target's own settings call one."""
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _secrets(part, str(key))
    elif isinstance(value, str) and name in _OF_KINDS:
        yield value
