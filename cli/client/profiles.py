"""Apps that somebody logged in to: one file in the user's own configuration, which nobody else can read.

``$XDG_CONFIG_HOME/edgetrain/profiles.json``, by default ``~/.config/edgetrain/profiles.json``, mode 0600::

    {"last": "plant", "profiles": {"plant": {"url": "https://...", "key": "..."}}}
"""

import json
import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cli.client.errors import WrongUseError

_FILE: Final = "profiles.json"
NAME: Final = r"^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,60}$"


class Profile(BaseModel):
    """One app and its key."""

    model_config = ConfigDict(frozen=True)

    url: str
    key: str = Field("", repr=False)


class Profiles(BaseModel):
    """All of them, and the one that was logged in to last."""

    model_config = ConfigDict(frozen=True)

    last: str = ""
    profiles: dict[str, Profile] = Field(default_factory=dict)


def path(environment: Mapping[str, str]) -> Path:
    """Where the file is, or would be; raises :class:`WrongUseError` for a user without a home."""
    base, home = environment.get("XDG_CONFIG_HOME"), environment.get("HOME")
    if base:
        return Path(base) / "edgetrain" / _FILE
    try:
        return (Path(home) if home else Path.home()) / ".config" / "edgetrain" / _FILE
    except RuntimeError:
        raise WrongUseError("this user has no home to keep logins in", remedy="set HOME or XDG_CONFIG_HOME") from None


def load(environment: Mapping[str, str]) -> Profiles:
    """What is kept; raises :class:`WrongUseError` when the file is broken, or others can read the keys in it."""
    file = path(environment)
    try:
        if stat.S_IMODE(file.stat().st_mode) & 0o077:
            raise WrongUseError(f"{file} holds keys and can be read by others", remedy=f"chmod 600 {file}")
        return Profiles.model_validate_json(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return Profiles()
    except OSError as error:
        raise WrongUseError(f"{file} cannot be read: {error.strerror}") from None
    except (ValidationError, ValueError):
        raise WrongUseError(f"{file} is broken", remedy=f"remove {file}, then: edgetrain login") from None


def keep(name: str, profile: Profile, environment: Mapping[str, str]) -> Path:
    """Keep a profile, and make it the last one; the file, which is replaced as a whole."""
    before = load(environment)
    after = Profiles(last=name, profiles={**before.profiles, name: profile})
    return _write(after, environment)


def forget(name: str, environment: Mapping[str, str]) -> bool:
    """Forget a profile with its key; False when there is no such profile."""
    before = load(environment)
    if name not in before.profiles:
        return False
    left = {each: profile for each, profile in before.profiles.items() if each != name}
    _write(Profiles(last="" if before.last == name else before.last, profiles=left), environment)
    return True


def _write(profiles: Profiles, environment: Mapping[str, str]) -> Path:
    file = path(environment)
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=".profiles-")  # 0600 from the start
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
                json.dump(profiles.model_dump(), opened, indent=2)
            Path(name).replace(file)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise WrongUseError(f"{file} cannot be written: {error.strerror}") from None
    return file
