"""Who reads the page: the person that the platform signed in, a program with a key, or a session that a key began.

The host asks for no key here, so a key counts only when the settings know it by its digest, and only in the header: an
address is kept in histories and logs. What somebody may do is read from the settings at each request.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

import azure.functions as func

from function_app.api.actors import KEY, actor_of, key_name_of, principal_of
from function_app.api.page_tickets import SIGN_IN_IS_OFF
from function_app.api.permissions import AccessSettings, roles_of
from function_app.page.later import _
from function_app.problems import RefusedError
from function_app.sessions import SESSION_LASTS, Session, Signatures, Ticket
from shared.decisions.access.roles import Role, roles_of_key, suffices
from shared.messages import Actor, ActorKind

COOKIE: Final = "edgetrain-session"
NOT_SIGNED_IN: Final = "not_signed_in"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Who reads. ``bound``: what the tokens of this reader's forms are tied to; ``session``: the one that it is."""

    actor: Actor
    roles: frozenset[Role]
    bound: str
    session: Session | None = None

    def may(self, needed: Role | None) -> bool:
        """Whether the roles suffice for what needs that one."""
        return suffices(self.roles, needed)


class Claims(Protocol):
    """Claims what may be used once; the ledger's requests."""

    def claim_once(self, source: str, number: str, *, at: datetime) -> bool:
        """Whether this caller is the first."""


def reader_of(
    req: func.HttpRequest, settings: AccessSettings, signatures: Signatures | None, now: datetime
) -> Reader | None:
    """Who reads; None for nobody that is known. Raises :class:`function_app.problems.BadFieldError`."""
    if principal_of(req, settings) is not None:
        actor = actor_of(req, settings)
        return Reader(actor=actor, roles=roles_of(req, settings), bound=f"person {actor.name}")
    key = req.headers.get(KEY)
    if key:
        name = key_name_of(key, settings.key_names)
        return _by_key(name, settings, None) if name is not None else None
    session = session_of(req, settings, signatures, now)
    return _by_key(session.key, settings, session) if session is not None else None


def session_of(
    req: func.HttpRequest, settings: AccessSettings, signatures: Signatures | None, now: datetime
) -> Session | None:
    """The session of the request's cookie; None without one that still lasts."""
    cookie = cookies_of(req).get(COOKIE)
    if not cookie or signatures is None:
        return None
    return signatures.session_in(cookie, settings.key_names, now)


def signed_in_by_key(key: str, settings: AccessSettings, signatures: Signatures | None, now: datetime) -> str:
    """The value of the cookie for whoever shows this key; raises :class:`RefusedError`."""
    signs = required(signatures)
    name = key_name_of(key.strip(), settings.key_names)
    if name is None:
        raise RefusedError(
            403, NOT_SIGNED_IN, _("This key does not open the page. Ask whoever runs the app for one that does.")
        )
    return signs.session(name, settings.key_names, now)


def signed_in_by_ticket(
    ticket: str, settings: AccessSettings, signatures: Signatures | None, claims: Claims, now: datetime
) -> str:
    """The value of the cookie for whoever brings this ticket first; raises :class:`RefusedError`."""
    signs = required(signatures)
    found = signs.ticket_in(ticket, settings.key_names, now)
    if found is None or not _first(found, claims, now):
        raise RefusedError(
            403, NOT_SIGNED_IN, _("This link does not sign in any more. Ask for another one: edgetrain page")
        )
    return signs.session(found.key, settings.key_names, now)


def required(signatures: Signatures | None) -> Signatures:
    """What signs; raises :class:`RefusedError` when there is no secret."""
    if signatures is None:
        raise RefusedError(
            409,
            SIGN_IN_IS_OFF,
            _(
                "Nobody signs in with a key here: the app has no secret to sign sessions with. Whoever runs it sets"
                " EDGETRAIN_PAGE__SECRET (docs/rights.md)."
            ),
        )
    return signatures


def cookie_of(value: str, *, secure: bool) -> str:
    """The header that keeps a session in the browser, for the page alone; an empty value ends it."""
    lasts = int(SESSION_LASTS.total_seconds()) if value else 0
    parts = [f"{COOKIE}={value}", "Path=/ui", f"Max-Age={lasts}", "HttpOnly", "SameSite=Strict"]
    return "; ".join([*parts, "Secure"] if secure else parts)


def is_over_https(req: func.HttpRequest) -> bool:
    """Whether the browser speaks TLS, to the app or to what stands before it."""
    first = (req.headers.get("X-Forwarded-Proto") or "").partition(",")[0].strip()  # of several the browser's
    return bool(req.url.lower().startswith("https:")) or first.lower() == "https"


def comes_from_the_page(req: func.HttpRequest) -> bool:
    """Whether a browser says that a form was sent from this page's own host; one that says nothing is believed.

    The token decides; this only ends early what no page of ours can have sent.
    """
    site = req.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin: str | None = req.headers.get("Origin")
    host: str = req.headers.get("X-Forwarded-Host") or req.headers.get("Host") or ""
    return origin is None or origin.partition("://")[2].lower() == host.lower()


def cookies_of(req: func.HttpRequest) -> Mapping[str, str]:
    """The cookies of a request, by name; of two with one name the first, which is of the narrower path."""
    found: dict[str, str] = {}
    for part in req.headers.get("Cookie", "").split(";"):
        name, is_one, value = part.strip().partition("=")
        if is_one:
            found.setdefault(name, value.strip('"'))
    return found


def _by_key(name: str, settings: AccessSettings, session: Session | None) -> Reader:
    return Reader(
        actor=Actor(kind=ActorKind.KEY, name=name),
        roles=roles_of_key(name, settings.key_roles),
        bound=f"session {session.number}" if session else f"key {name}",
        session=session,
    )


def _first(ticket: Ticket, claims: Claims, now: datetime) -> bool:
    return claims.claim_once("http", ticket.number, at=now)
