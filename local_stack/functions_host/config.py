"""Settings and ``host.json``: what the host reads of them.

Settings come from the environment, then from ``Values`` in ``local.settings.json``. A setting
``AzureFunctionsJobHost__a__b`` overrides ``a.b`` of ``host.json``, as on the real host.
"""

import json
import logging
import os
import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

log = logging.getLogger("functions_host.config")

ONE_CORE_THREADS: Final = 5
"""Of a Python worker on one core without ``PYTHON_THREADPOOL_THREAD_COUNT``: Python's own default, cores + 4."""

_OVERRIDE_PREFIX: Final = "azurefunctionsjobhost__"
_HUB_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9]{2,44}")
_TIME_SPAN: Final = re.compile(r"(?:(?P<days>\d+)\.)?(?P<hours>\d{1,2}):(?P<minutes>\d{2}):(?P<seconds>\d{2})")
_PLACEHOLDER: Final = re.compile(r"%([^%]+)%")
_DEFAULT_TIMEOUT: Final = timedelta(minutes=30)
_PER_CORE: Final = 10
_MOST_WORKERS: Final = 10
_KNOWN: Final = frozenset({"version", "extensions", "functiontimeout", "logging", "extensionbundle", "telemetrymode"})
_DURABLE_IGNORED: Final = {
    "extendedSessionsEnabled": "is forced off for Python",
    "storageProvider": "is accepted; this host keeps its own store",
    "notifications": "are not served",
}


class HostConfigError(Exception):
    """``host.json`` or ``local.settings.json`` cannot be used; the text names the key."""


@dataclass(frozen=True, slots=True)
class ServiceBusOptions:
    """``extensions.serviceBus``, as far as this host acts on it."""

    max_concurrent_calls: int = 16 * (os.cpu_count() or 1)
    """For each function."""
    max_lock_renewal: timedelta = timedelta(minutes=5)
    """How long the lock of a message is renewed while its function runs; zero: not at all."""


@dataclass(frozen=True, slots=True)
class HostConfig:
    """The part of ``host.json`` this host acts on."""

    hub_name: str
    route_prefix: str
    function_timeout: timedelta | None
    """``None``: unbounded (``-1`` in the file)."""
    max_activities: int
    max_orchestrators: int
    service_bus: ServiceBusOptions


def load_settings(root: Path, environment: MutableMapping[str, str]) -> None:
    """Add the ``Values`` of ``local.settings.json`` to the environment; what is already there wins.

    Raises :class:`HostConfigError` when the file exists but is not what it should be.
    """
    path = root / "local.settings.json"
    if not path.is_file():
        return
    values = _read_json(path).get("Values", {})
    if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
        raise HostConfigError("local.settings.json: Values must be an object of strings")
    for name, value in values.items():
        environment.setdefault(name, value)


def load_host_config(root: Path, settings: Mapping[str, str]) -> HostConfig:
    """Read ``host.json`` with its overrides. Raises :class:`HostConfigError`."""
    path = root / "host.json"
    if not path.is_file():
        raise HostConfigError("no host.json in the app root")
    document = _lower_keys(_read_json(path))
    for name, value in settings.items():
        if name.lower().startswith(_OVERRIDE_PREFIX):
            _override(document, name[len(_OVERRIDE_PREFIX) :].lower().split("__"), value)
    if str(document.get("version")) != "2.0":
        raise HostConfigError('host.json: "version" must be "2.0"')
    for key in sorted(set(document) - _KNOWN):
        log.warning("host.json key ignored key=%s", key)
    durable = _section(document, "extensions", "durabletask")
    for key, reason in _DURABLE_IGNORED.items():
        if key.lower() in durable:
            log.warning("host.json key ignored key=durableTask.%s reason=%s", key, reason)
    per_host = _PER_CORE * (os.cpu_count() or 1)
    return HostConfig(
        hub_name=_hub_name(str(durable.get("hubname", "TestHubName")), settings),
        route_prefix=str(_section(document, "extensions", "http").get("routeprefix", "api")).strip("/"),
        function_timeout=_timeout(document.get("functiontimeout")),
        max_activities=_count(durable, "maxConcurrentActivityFunctions", per_host),
        max_orchestrators=_count(durable, "maxConcurrentOrchestratorFunctions", per_host),
        service_bus=_service_bus(_section(document, "extensions", "servicebus")),
    )


def is_disabled(name: str, settings: Mapping[str, str]) -> bool:
    """Whether the setting ``AzureWebJobs.<name>.Disabled`` is on (also with ``_`` for ``.``, as on Linux)."""
    for key in (f"AzureWebJobs.{name}.Disabled", f"AzureWebJobs_{name}_Disabled"):
        if settings.get(key, "").strip().lower() in {"true", "1"}:
            return True
    return False


def thread_count(settings: Mapping[str, str]) -> int | None:
    """``PYTHON_THREADPOOL_THREAD_COUNT``, or ``None`` for Python's default. Raises :class:`HostConfigError`."""
    text = settings.get("PYTHON_THREADPOOL_THREAD_COUNT")
    if not text:
        return None
    if not (text.isdecimal() and int(text) > 0):
        raise HostConfigError(f"PYTHON_THREADPOOL_THREAD_COUNT must be a positive number, got {text!r}")
    return int(text)


def worker_count(settings: Mapping[str, str]) -> int:
    """``FUNCTIONS_WORKER_PROCESS_COUNT``, one without it, ten at most. Raises :class:`HostConfigError`."""
    text = settings.get("FUNCTIONS_WORKER_PROCESS_COUNT") or "1"
    if not (text.isdecimal() and 1 <= int(text) <= _MOST_WORKERS):
        raise HostConfigError(f"FUNCTIONS_WORKER_PROCESS_COUNT must be 1 to {_MOST_WORKERS}, got {text!r}")
    return int(text)


def resolve(text: str, settings: Mapping[str, str]) -> str:
    """Replace each ``%NAME%`` by the setting of that name. Raises :class:`HostConfigError` when it is missing."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in settings:
            raise HostConfigError(f"'%{match[1]}%' does not resolve to a value: no such setting")
        return settings[match[1]]

    return _PLACEHOLDER.sub(value, text)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise HostConfigError(f"{path.name} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise HostConfigError(f"{path.name} must hold an object")
    return document


def _lower_keys(value: Any) -> Any:
    """.NET configuration keys have no case."""
    if isinstance(value, dict):
        return {key.lower(): _lower_keys(item) for key, item in value.items()}
    return value


def _override(document: dict[str, Any], path: list[str], value: str) -> None:
    for key in path[:-1]:
        inner = document.setdefault(key, {})
        if not isinstance(inner, dict):
            inner = document[key] = {}
        document = inner
    document[path[-1]] = value


def _section(document: dict[str, Any], *path: str) -> dict[str, Any]:
    for key in path:
        document = document.get(key) or {}
        if not isinstance(document, dict):
            raise HostConfigError(f"host.json: {'.'.join(path)} must be an object")
    return document


def _hub_name(text: str, settings: Mapping[str, str]) -> str:
    name = resolve(text, settings)
    if not _HUB_NAME.fullmatch(name):
        raise HostConfigError("host.json: hubName must be 3 to 45 letters and digits and start with a letter")
    return name


def _timeout(value: object) -> timedelta | None:
    if value is None:
        return _DEFAULT_TIMEOUT
    return None if str(value) == "-1" else _time_span("functionTimeout", value, also=" or -1")


def _time_span(key: str, value: object, also: str = "") -> timedelta:
    match = _TIME_SPAN.fullmatch(str(value))
    if match is None:
        raise HostConfigError(f"host.json: {key} must be hh:mm:ss{also}, got {value!r}")
    parts = {name: int(digits) for name, digits in match.groupdict(default="0").items()}
    return timedelta(**parts)


def _service_bus(section: dict[str, Any]) -> ServiceBusOptions:
    if str(section.get("autocompletemessages", True)).lower() != "true":
        # A Python function has no way to settle: each message would come back when its lock expires.
        raise HostConfigError("host.json: serviceBus.autoCompleteMessages must be left on")
    defaults = ServiceBusOptions()
    renewal = section.get("maxautolockrenewalduration", defaults.max_lock_renewal)
    if not isinstance(renewal, timedelta):
        renewal = _time_span("serviceBus.maxAutoLockRenewalDuration", renewal)
    calls = _count(section, "maxConcurrentCalls", defaults.max_concurrent_calls)
    return ServiceBusOptions(max_concurrent_calls=calls, max_lock_renewal=renewal)


def _count(section: dict[str, Any], key: str, default: int) -> int:
    value = section.get(key.lower(), default)
    try:
        count = int(value)
    except (TypeError, ValueError) as error:
        raise HostConfigError(f"host.json: {key} must be a number") from error
    if count < 1:
        raise HostConfigError(f"host.json: {key} must be at least 1")
    return count
