"""The host's access keys and what each of them opens.

Levels, as on the real host: a *function* key opens its function, a *host* key every function, a *system* key the
webhooks of one extension, and the *master* key everything, the admin API included.
"""

import hmac
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Self

from local_stack.files import write_private

EVENT_GRID_KEY: Final = "eventgrid_extension"
DURABLE_KEY: Final = "durabletask_extension"
_DEFAULT: Final = "default"


class KeyFileError(Exception):
    """The key file exists but does not have the expected shape."""


class Level(StrEnum):
    """How much a request must prove."""

    ANONYMOUS = "anonymous"
    FUNCTION = "function"
    SYSTEM = "system"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Access:
    """What guards an endpoint: a level and, for function and system keys, whose."""

    level: Level
    name: str = ""


ANYONE: Final = Access(Level.ANONYMOUS)
MASTER_ONLY: Final = Access(Level.ADMIN)


@dataclass(frozen=True, slots=True)
class KeyRing:
    """All keys of one host. Compared in constant time, never logged."""

    master: str = field(repr=False)
    host: Mapping[str, str] = field(repr=False)
    """Keys that open every function."""
    system: Mapping[str, str] = field(repr=False)
    """Extension key name to key."""
    functions: Mapping[str, Mapping[str, str]] = field(repr=False)
    """Function name in lower case to its own keys."""

    @classmethod
    def load_or_create(cls, path: Path, function_names: Iterable[str]) -> Self:
        """Read the key file; generate what it lacks and write it back with mode 0600.

        A file that somebody placed there beforehand is how keys are given. Raises :class:`KeyFileError`.
        """
        given = _read(path)
        ring = cls(
            master=given.get("master") or _new_key(),
            host=given.get("host") or {_DEFAULT: _new_key()},
            system={name: _new_key() for name in (EVENT_GRID_KEY, DURABLE_KEY)} | given.get("system", {}),
            functions={name.lower(): {_DEFAULT: _new_key()} for name in function_names}
            | {name.lower(): keys for name, keys in given.get("functions", {}).items()},
        )
        write_private(path, json.dumps(ring.as_json(), indent=2))
        return ring

    def as_json(self) -> dict[str, Any]:
        """The shape of the key file."""
        return {
            "master": self.master,
            "host": dict(self.host),
            "system": dict(self.system),
            "functions": {name: dict(keys) for name, keys in self.functions.items()},
        }

    def opens(self, access: Access, presented: str | None) -> bool:
        """Whether ``presented`` may pass this guard."""
        if access.level is Level.ANONYMOUS:
            return True
        return presented is not None and any(_same(presented, key) for key in self._accepted(access))

    def is_master(self, presented: str | None) -> bool:
        """Whether this is the master key, for which disabled functions still answer."""
        return presented is not None and _same(presented, self.master)

    def _accepted(self, access: Access) -> list[str]:
        accepted = [self.master]
        if access.level is Level.FUNCTION:
            accepted += [*self.host.values(), *self.functions.get(access.name.lower(), {}).values()]
        elif access.level is Level.SYSTEM and access.name in self.system:
            accepted.append(self.system[access.name])
        return accepted


def _same(presented: str, key: str) -> bool:
    return hmac.compare_digest(presented.encode(), key.encode())


def _new_key() -> str:
    return secrets.token_urlsafe(36)


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise KeyFileError(f"{path.name} is not JSON") from error
    maps = [document.get(part, {}) for part in ("host", "system", "functions")] if isinstance(document, dict) else [0]
    if not all(isinstance(part, dict) for part in maps):
        raise KeyFileError(f'{path.name} must hold "master", "host", "system" and "functions"')
    return dict(document)
