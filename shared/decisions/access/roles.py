"""The roles of people and keys, and when they suffice. Pure.

Roles are configured once a key has some in the settings: then nobody does anything without one. Before that a key may
do everything. The claims of a person say the roles of the app in the directory; whoever has one of ours there has no
others, whatever the settings say of keys.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What somebody may do: look, start and stop, or decide on what is rolled out."""

    READER = "reader"
    OPERATOR = "operator"
    APPROVER = "approver"


EVERY_ROLE: Final = frozenset(Role)
NO_ROLE: Final[frozenset[Role]] = frozenset()
_BY_NAME: Final[dict[str, Role]] = {role.value: role for role in Role}


class UnknownRoleError(ValueError):
    """A text names something that is no role. What it names is not repeated: it may be a key, put in its place."""

    def __init__(self) -> None:
        super().__init__(f"names something that is no role; the roles are {listed_roles(Role)}, separated by commas")


def roles_in(text: str) -> frozenset[Role]:
    """The roles that a text names, separated by commas; raises :class:`UnknownRoleError`."""
    named = [part.strip() for part in text.split(",") if part.strip()]
    if any(name not in _BY_NAME for name in named):
        raise UnknownRoleError
    return frozenset(_BY_NAME[name] for name in named)


def roles_of_key(name: str | None, configured: Mapping[str, frozenset[Role]]) -> frozenset[Role]:
    """``name``: of the key in the settings, None when it has none; ``configured``: roles by the name of a key."""
    if not configured:
        return EVERY_ROLE
    return configured.get(name, NO_ROLE) if name is not None else NO_ROLE


def roles_of_person(claimed: Iterable[str], *, configured: bool) -> frozenset[Role]:
    """``claimed``: the values of the person's role claims; ``configured``: whether any key has roles."""
    known = frozenset(_BY_NAME[value] for value in claimed if value in _BY_NAME)
    return known if known or configured else EVERY_ROLE


def suffices(roles: frozenset[Role], needed: Role | None) -> bool:
    """Whether these roles allow what needs that one. Who operates or approves may look too."""
    if needed is None or needed in roles:
        return True
    return needed is Role.READER and bool(roles)


def listed_roles(roles: Iterable[Role]) -> str:
    """Roles as a part of a sentence, always in the same order."""
    given = set(roles)
    names = [role.value for role in Role if role in given]
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)
