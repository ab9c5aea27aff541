"""Whether who asks may: the one place where the HTTP API holds roles against what an operation needs."""

from collections.abc import Mapping
from typing import Protocol

import azure.functions as func

from function_app.api.actors import WhoSettings, actor_of, key_name_of, key_of, principal_of, roles_in
from function_app.problems import BadFieldError, RefusedError
from shared.access_settings import KEY_NAMES, KEY_ROLES
from shared.decisions.access.roles import Role, listed_roles, roles_of_key, roles_of_person, suffices
from shared.decisions.explanations.actors import actor_text

NOT_PERMITTED = "not_permitted"


class AccessSettings(WhoSettings, Protocol):
    """The settings that say who is believed, and which keys may do what."""

    @property
    def key_roles(self) -> Mapping[str, frozenset[Role]]:
        """Roles by the name of a key; empty: every key may do everything."""


def permit(what: str, needed: Role, req: func.HttpRequest, settings: AccessSettings) -> None:
    """Nothing, when who asks has the role; otherwise raises :class:`RefusedError` with what would help."""
    roles = roles_of(req, settings)
    if not suffices(roles, needed):
        raise RefusedError(403, NOT_PERMITTED, refusal(what, needed, roles, req, settings))


def roles_of(req: func.HttpRequest, settings: AccessSettings) -> frozenset[Role]:
    """The roles of who asks: of the person that is signed in, or else of the key."""
    principal = principal_of(req, settings)
    if principal is not None:
        return roles_of_person(roles_in(principal), configured=bool(settings.key_roles))
    return roles_of_key(key_name_of(key_of(req), settings.key_names), settings.key_roles)


def refusal(what: str, needed: Role, roles: frozenset[Role], req: func.HttpRequest, settings: AccessSettings) -> str:
    """Why it is refused, to whom, and how the role is had."""
    has = f"has only {listed_roles(roles)}" if roles else "has no role"
    return f"{what} needs the role {needed}, and {_who(req, settings)} {has}; {_remedy(needed, req, settings)}"


def _who(req: func.HttpRequest, settings: AccessSettings) -> str:
    try:
        return actor_text(actor_of(req, settings))
    except BadFieldError:
        return "somebody who is signed in without a name"  # such as a program of the directory


def _remedy(needed: Role, req: func.HttpRequest, settings: AccessSettings) -> str:
    if principal_of(req, settings) is not None:
        return f"whoever runs the app assigns the app role {needed} in Microsoft Entra ID (docs/rights.md)"
    if not key_of(req):
        return "send a function key that has it in the header x-functions-key"
    name = key_name_of(key_of(req), settings.key_names)
    if name is None:
        return (
            f"whoever runs the app names the key by its SHA-256 in {KEY_NAMES}NAME, and puts {needed} into"
            f" {KEY_ROLES}NAME"
        )
    return f"whoever runs the app adds {needed} to {KEY_ROLES}{name.upper()}"
