"""Who asks: the person that App Service authentication has let in, or else whoever holds a function key.

The host knows the name of the key that opened a function, and tells it the worker; the worker for Python leaves it out
(``datumdef.py`` reads no identities). So the app recognises the key that was presented by its digest, which the
settings have under its name. Anybody can send the header of a principal: it counts only when the settings say that the
platform's authentication is on, which replaces what clients send.
https://learn.microsoft.com/azure/app-service/configure-authentication-user-identities
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from typing import Any, Protocol

import azure.functions as func

from function_app.problems import BadFieldError
from shared.messages import Actor, ActorKind
from shared.values.texts import shortened

PRINCIPAL = "X-MS-CLIENT-PRINCIPAL"
PRINCIPAL_NAME = "X-MS-CLIENT-PRINCIPAL-NAME"
KEY = "x-functions-key"
LONGEST_NAME = 100
_DIGITS = 8  # of the digest of a key without a name: tells two keys apart, and is of no use to find one


class WhoSettings(Protocol):
    """The settings that say who is believed."""

    @property
    def app_service_authentication(self) -> bool:
        """Whether the platform authenticates who calls."""

    @property
    def key_names(self) -> Mapping[str, str]:
        """SHA-256 in hex of function keys, by name."""


def actor_of(req: func.HttpRequest, settings: WhoSettings, *, said: str = "") -> Actor:
    """Who asks; ``said``: the name that the request gives itself. Raises :class:`BadFieldError`.

    A person that is signed in cannot ask in another's name.
    """
    said = shortened(said, LONGEST_NAME) if said else ""
    principal = req.headers.get(PRINCIPAL) if settings.app_service_authentication else None
    if principal:
        name = name_in(principal) or shortened(req.headers.get(PRINCIPAL_NAME, ""), LONGEST_NAME)
        if not name:
            raise BadFieldError(f"{PRINCIPAL} names nobody; ask for the claim of the name", field=PRINCIPAL)
        if said and said != name:
            raise BadFieldError(f"by says {said!r}, and {name} is signed in; leave it out", field="by")
        return Actor(kind=ActorKind.PERSON, name=name)
    key = req.headers.get(KEY) or req.params.get("code") or ""
    return Actor(kind=ActorKind.KEY, name=_name_of(key, settings.key_names), said=said)


def name_in(principal: str) -> str:
    """The name in a principal: of the claim that it says is its name; empty when it has none."""
    found = _principal(principal)
    kind, claims = found.get("name_typ"), found.get("claims")
    if not isinstance(claims, list):
        return ""
    named = (claim.get("val") for claim in claims if isinstance(claim, Mapping) and claim.get("typ") == kind)
    return next((shortened(name, LONGEST_NAME) for name in named if isinstance(name, str) and name.strip()), "")


def _principal(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError, RecursionError):
        found = None
    if not isinstance(found, Mapping):
        raise BadFieldError(f"{PRINCIPAL} is no principal (JSON in base64); sign in again", field=PRINCIPAL)
    return found


def _name_of(key: str, names: Mapping[str, str]) -> str:
    if not key:
        return "none"  # a host that asks for no keys, as on a laptop
    digest = hashlib.sha256(key.encode("utf-8")).hexdigest()
    known = (name for name, kept in names.items() if kept.lower() == digest)
    return next(known, f"with digest {digest[:_DIGITS]}")
