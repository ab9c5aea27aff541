"""``edgetrain login`` and ``logout``: apps that the command line knows by name, with their keys."""

import getpass
import os
import re
import sys
from typing import Annotated

import typer

from cli.client import AppClient, Place, WrongUseError, profiles
from cli.client.places import Wanted, find, here, read_key
from cli.operating.blocks import Block, Column, Line, Row, table
from cli.operating.session import Session, remote

_DEFAULT = "default"


@remote
def login(
    session: Session,
    *,
    show: Annotated[bool, typer.Option("--list", help="Only list what is known.")] = False,
) -> None:
    """Remember an app and its key under a name, after asking it whether the key is right.

    The app is --url, the name --profile (by default: default). The key is asked for, or read from --key-file; it is
    kept in ~/.config/edgetrain/profiles.json, which nobody else can read. Later commands talk to the app of the last
    login, unless options, EDGETRAIN_URL or a local stack in the folder name another.
    """
    if show:
        _list(session)
        return
    name = session.wanted.profile or _DEFAULT
    if not re.fullmatch(profiles.NAME, name):
        raise WrongUseError(f"{name!r} is no name for a profile; use letters, digits, dots, hyphens and underscores")
    if not session.wanted.url:
        raise WrongUseError(
            "login needs the app's address", remedy="edgetrain login --url https://<app>.azurewebsites.net"
        )
    file = session.wanted.key_file
    place = Place(session.wanted.url, read_key(file) if file is not None else _asked_for(session.wanted.url))
    with AppClient(place, seconds=session.seconds) as app:
        known = len(app.pipelines().view.pipelines)
    kept = profiles.keep(name, profiles.Profile(url=place.url, key=place.key), os.environ)
    document = {"profile": name, "url": place.url, "file": str(kept), "pipelines": known}
    lines: list[Block] = [Line(f"profile {name}: {place.url}, kept in {kept}")]
    session.screen.show(document, lines)
    session.screen.hint("edgetrain pipelines")


def _asked_for(url: str) -> str:
    if sys.stdin is None or not sys.stdin.isatty():
        raise WrongUseError("nobody is there to be asked for the key", remedy="name a file with it: --key-file FILE")
    try:
        return getpass.getpass(f"function key of {url}: ").strip()
    except EOFError:
        raise WrongUseError("no key was given") from None


def _list(session: Session) -> None:
    kept = profiles.load(os.environ)
    document = {
        "profiles": [
            {"profile": name, "url": each.url, "last": name == kept.last}
            for name, each in sorted(kept.profiles.items())
        ]
    }
    rows: list[Row] = [
        [name, each.url, "used by default" if name == kept.last else ""] for name, each in sorted(kept.profiles.items())
    ]
    session.screen.show(document, [table([Column("profile"), Column("app"), Column("")], rows, empty="no profiles")])
    try:
        place = find(Wanted(), os.environ, here())
    except WrongUseError:
        return
    session.screen.say(f"commands in this folder talk to {place.url} ({place.origin})")


@remote
def logout(session: Session) -> None:
    """Forget a profile and its key: --profile NAME, by default that of the last login."""
    name = session.wanted.profile or profiles.load(os.environ).last
    if not name or not profiles.forget(name, os.environ):
        raise WrongUseError(f"there is no profile {name}" if name else "nobody is logged in")
    session.screen.show({"profile": name, "forgotten": True}, [Line(f"profile {name} and its key are forgotten")])
