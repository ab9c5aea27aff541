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
import hmac
import json
from collections.abc import Container, Iterator, Mapping
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
    principal = principal_of(req, settings)
    if principal is not None:
        name = name_in(principal) or shortened(req.headers.get(PRINCIPAL_NAME, ""), LONGEST_NAME)
        if not name:
            raise BadFieldError(f"{PRINCIPAL} names nobody; ask for the claim of the name", field=PRINCIPAL)
        if said and said != name:
            raise BadFieldError(f"by says {said!r}, and {name} is signed in; leave it out", field="by")
        return Actor(kind=ActorKind.PERSON, name=name)
    return Actor(kind=ActorKind.KEY, name=_key_text(key_of(req), settings.key_names), said=said)


def principal_of(req: func.HttpRequest, settings: WhoSettings) -> Mapping[str, Any] | None:
    """The principal that the platform signed in; None without one. Raises :class:`BadFieldError`."""
    text = req.headers.get(PRINCIPAL) if settings.app_service_authentication else None
    return _principal(text) if text else None


def name_in(principal: Mapping[str, Any]) -> str:
    """The name in a principal: of the claim that it says is its name; empty when it has none."""
    return next((shortened(name, LONGEST_NAME) for name in _claims(principal, {principal.get("name_typ")})), "")


def roles_in(principal: Mapping[str, Any]) -> frozenset[str]:
    """The roles that a principal claims, ours or not: by the type that it says roles have, and by ``roles``."""
    return frozenset(_claims(principal, {"roles", principal.get("role_typ")}))


def key_of(req: func.HttpRequest) -> str:
    """The function key that the request presents; empty without one. Of two the host takes the header too."""
    return req.headers.get(KEY) or req.params.get("code") or ""


def key_name_of(key: str, names: Mapping[str, str]) -> str | None:
    """The name of a key in the settings; None when it has none there."""
    digest = digest_of(key).encode("ascii")
    # Every one is compared, so that the time says nothing of which it is.
    known = [name for name, kept in names.items() if hmac.compare_digest(kept.lower().encode("utf-8"), digest)]
    return known[0] if known and key else None


def asking_key(req: func.HttpRequest, settings: WhoSettings) -> str | None:
    """The name of the key that asks; None when it has none, or a person asks."""
    return None if principal_of(req, settings) is not None else key_name_of(key_of(req), settings.key_names)


def digest_of(key: str) -> str:
    """What the settings know a key by."""
    return hashlib.sha256(key.encode("utf-8")).hexdigest()


def _claims(principal: Mapping[str, Any], kinds: Container[object]) -> Iterator[str]:
    """What a principal claims of these types, where it is a text with something in it."""
    claims = principal.get("claims")
    for claim in claims if isinstance(claims, list) else ():
        if isinstance(claim, Mapping) and isinstance(claim.get("typ"), str) and claim["typ"] in kinds:
            value = claim.get("val")
            if isinstance(value, str) and value.strip():
                yield value


def _principal(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError, RecursionError):
        found = None
    if not isinstance(found, Mapping):
        raise BadFieldError(f"{PRINCIPAL} is no principal (JSON in base64); sign in again", field=PRINCIPAL)
    return found


def _key_text(key: str, names: Mapping[str, str]) -> str:
    if not key:
        return "none"  # a host that asks for no keys, as on a laptop
    return key_name_of(key, names) or f"with digest {digest_of(key)[:_DIGITS]}"
