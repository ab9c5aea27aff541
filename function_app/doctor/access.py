"""Who may do what: keys that have a name have roles, or none has; digests are digests."""

import re
from collections.abc import Iterator
from typing import Final

from function_app.composition import Services
from shared.access_settings import KEY_NAMES, KEY_ROLES, AccessSettings
from shared.decisions.access.roles import Role, listed_roles, suffices
from shared.doctor import Check, Kind, Seen, ok, skipped, wrong
from shared.values.texts import counted

_SHA256: Final = re.compile(r"[0-9a-fA-F]{64}")


def _roles(services: Services, _: str) -> Seen:
    return judged(services.access)


def judged(settings: AccessSettings) -> Seen:
    """Roles without a key are no settings at all: reading them says so, and this is not reached."""
    if faults := list(_faults(settings)):
        return wrong("; ".join(faults))
    if not settings.key_roles:
        people = ", and so may every person without roles who signs in" if settings.app_service_authentication else ""
        return skipped(f"no key has roles: whoever holds a function key may do everything{people}")
    given = ", ".join(f"{name} is {listed_roles(roles)}" for name, roles in sorted(settings.key_roles.items()))
    return ok(f"{counted(len(settings.key_roles), 'key')}: {given}")


def _faults(settings: AccessSettings) -> Iterator[str]:
    for name, digest in sorted(settings.key_names.items()):
        if not _SHA256.fullmatch(digest):
            yield f"{KEY_NAMES}{name.upper()} is no SHA-256 in hex, so that no key is recognised by it"
    if not settings.key_roles:
        return
    for name in sorted(settings.key_names):
        if not settings.key_roles.get(name):
            yield f"the key {name} has no roles and may do nothing: {KEY_ROLES}{name.upper()} is empty or not set"
    held = frozenset(role for roles in settings.key_roles.values() for role in roles)
    if not settings.app_service_authentication:
        for role in (role for role in Role if not suffices(held, role)):
            yield f"nobody may do what needs the role {role}"


CHECKS: Final = (
    Check(
        name="settings.roles",
        about=Kind.APP,
        wanted="a role for each key that has a name, a name for each key with roles, and somebody for each role",
        why="once a key has roles, nobody does anything without one",
        remedy=f"set {KEY_ROLES}NAME to {', '.join(Role)} or several of them; remove the name of a key that is gone",
        look=_roles,
    ),
)
