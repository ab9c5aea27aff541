"""Where the app is: its address and key, from options, the environment, a profile or the running local stack.

The first of these that names an address decides:

1. ``--url`` (with ``--key-file``), or ``--profile NAME``;
2. ``EDGETRAIN_URL`` (with ``EDGETRAIN_KEY``), or ``EDGETRAIN_PROFILE``;
3. ``.local/endpoints.json`` of the local stack in this folder;
4. the profile of the last ``edgetrain login``.

A key is never taken from the command line itself, where every process of the machine can read it.
"""

import ipaddress
import json
import os
import re
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from cli.client import profiles
from cli.client.errors import WrongUseError

ENDPOINTS: Final = Path(".local/endpoints.json")
_KEY: Final = re.compile(r"[!-~]{1,500}")
_LARGEST_FILE: Final = 1024**2


@dataclass(frozen=True, slots=True)
class Place:
    """An app. ``url`` without a slash at its end; ``key``: its function key, or empty; ``origin``: who named it."""

    url: str
    key: str = field(default="", repr=False)
    origin: str = "--url"

    def __post_init__(self) -> None:
        object.__setattr__(self, "url", checked_url(self.url, self.origin))
        if self.key and not _KEY.fullmatch(self.key):
            raise WrongUseError(f"the key of {self.origin} holds blanks or other characters that no key has")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the options say about the place; nothing when they are left out."""

    url: str = ""
    key_file: Path | None = None
    profile: str = ""


def find(wanted: Wanted, environment: Mapping[str, str], folder: Path) -> Place:
    """The app that a command talks to, seen from ``folder``; raises :class:`WrongUseError` when none is named."""
    place = _named(wanted, environment) or _local_stack(folder) or _last_profile(environment)
    if place is None:
        raise WrongUseError(
            "no app is named, and no local stack was started in this folder",
            remedy="edgetrain login --url https://<app>.azurewebsites.net, or set EDGETRAIN_URL and EDGETRAIN_KEY,"
            " or start the local stack: make up",
        )
    return place if wanted.key_file is None else replace(place, key=read_key(wanted.key_file))


def _named(wanted: Wanted, environment: Mapping[str, str]) -> Place | None:
    if wanted.url and wanted.profile:
        raise WrongUseError("--url and --profile name two apps; give one")
    if wanted.url:
        same = environment.get("EDGETRAIN_URL", "").rstrip("/") == wanted.url.rstrip("/")
        return Place(wanted.url, environment.get("EDGETRAIN_KEY", "") if same else "", "--url")
    if wanted.profile:
        return of_profile(wanted.profile, environment)
    if url := environment.get("EDGETRAIN_URL", ""):
        return Place(url, environment.get("EDGETRAIN_KEY", ""), "EDGETRAIN_URL")
    if name := environment.get("EDGETRAIN_PROFILE", ""):
        return of_profile(name, environment)
    return None


def of_profile(name: str, environment: Mapping[str, str]) -> Place:
    """The app of a profile; raises :class:`WrongUseError` when there is no such profile."""
    kept = profiles.load(environment)
    if name not in kept.profiles:
        known = ", ".join(sorted(kept.profiles)) or "none"
        raise WrongUseError(
            f"there is no profile {name}; there are: {known}", remedy=f"edgetrain login --profile {name}"
        )
    profile = kept.profiles[name]
    return Place(profile.url, profile.key, f"profile {name}")


def here() -> Path:
    """The folder that a command runs in; one without anything in it when that was removed."""
    try:
        return Path.cwd()
    except OSError:
        return Path(os.devnull)


def local_endpoints(folder: Path) -> dict[str, Any]:
    """What the local stack in this folder wrote about itself; empty when there is none."""
    path = folder / ENDPOINTS
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _local_stack(folder: Path) -> Place | None:
    host = local_endpoints(folder).get("functions_host")
    if not isinstance(host, dict) or not isinstance(host.get("url"), str) or not host["url"]:
        return None
    return Place(host["url"], str(host.get("function_key") or ""), str(ENDPOINTS))


def _last_profile(environment: Mapping[str, str]) -> Place | None:
    last = profiles.load(environment).last
    return of_profile(last, environment) if last else None


def read_key(file: Path) -> str:
    """The key in a file that only its owner can read; ``-`` is the standard input."""
    try:
        if file == Path("-"):
            text = sys.stdin.read(_LARGEST_FILE) if sys.stdin is not None else ""
        else:
            if stat.S_IMODE(file.stat().st_mode) & 0o077:
                raise WrongUseError(f"{file} can be read by others", remedy=f"chmod 600 {file}")
            with file.open(encoding="utf-8") as opened:
                text = opened.read(_LARGEST_FILE)
    except (OSError, UnicodeDecodeError) as error:
        raise WrongUseError(
            f"the key in {file} cannot be read: {getattr(error, 'strerror', '') or 'no text'}"
        ) from None
    key = text.strip()
    if not _KEY.fullmatch(key):
        raise WrongUseError(f"{file} holds no key: one line of printable characters is meant")
    return key


def checked_url(url: str, origin: str) -> str:
    """The address of an app, without a slash at its end; raises :class:`WrongUseError` when it is none.

    Over plain HTTP the key could be read on the way, so it is taken for this machine only.
    """
    example = "such as https://<app>.azurewebsites.net"
    try:
        parts = urlsplit(url.strip())
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise WrongUseError(f"{origin} {url!r} is no address; write one {example}") from None
    if parts.scheme not in {"http", "https"} or not host or not url.isprintable() or " " in url.strip():
        raise WrongUseError(f"{origin} {url!r} is no address; write one {example}")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise WrongUseError(f"{origin} has more than an address in it; write one {example}, and the key apart from it")
    if parts.scheme == "http" and not is_loopback(host):
        raise WrongUseError(
            f"{origin} {url} is not encrypted, so that the key could be read on the way; write https://"
        )
    return url.strip().rstrip("/").removesuffix("/api")


def is_loopback(host: str) -> bool:
    """Whether a host's name or address is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"
