"""The door: signing in with a key or with the link of ``edgetrain page``, and signing out.

A key is taken from a form alone, never from an address. After that the browser is sent on, to addresses of the page
itself alone. Whoever the platform has signed in needs no door.
"""

import asyncio
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import unquote

import azure.functions as func

from function_app.composition import Services
from function_app.page.addresses import Screen
from function_app.page.forms import form_of, refuse_forged, refuse_other_sites
from function_app.page.later import _
from function_app.page.serving import (
    LONGEST_ADDRESS,
    SIGN_OUT,
    Asked,
    answered,
    failed,
    has_key,
    new_incident,
    page,
    trouble,
    whole_page,
    words_of,
)
from function_app.page.who import (
    cookie_of,
    is_over_https,
    required,
    signed_in_by_key,
    signed_in_by_ticket,
)
from function_app.problems import RefusedError
from shared.errors import PermanentError, TransientError

log = logging.getLogger(__name__)

_DOOR: Final = Screen(name="page_sign_in", path="ui/sign-in", module="sign_in")
_OWN: Final = re.compile(r"/ui(/[A-Za-z0-9._~%+-]+)*(\?[A-Za-z0-9._~%&=+,:;@!*'()/-]*)?")
_UPWARDS: Final = re.compile(r"/\.{1,2}(?:[/?]|$)")
"""Browsers read it as a step out of the page, and %2e like a dot."""
_PORT: Final = re.compile(r"([0-9.]+|\[[^]]*\]):[0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """What the door shows. ``ticket``: of the link that was followed; ``there``: where to afterwards."""

    ticket: str
    there: str
    wrong: str


async def door(req: func.HttpRequest, services: Services) -> func.HttpResponse:
    """The form that a key is typed into; or, for a link that signs in, one button."""
    try:
        required(await asyncio.to_thread(lambda: services.signatures))
    except (RefusedError, PermanentError, TransientError) as error:
        return trouble(error, words_of(req), None)
    except Exception:
        log.exception("incident %s", incident := new_incident())
        return failed(incident, words_of(req), None)
    return _shown(req, ticket=req.params.get("ticket", ""), there=own_address(req.params.get("next", "")))


async def sign_in(req: func.HttpRequest, services: Services) -> func.HttpResponse:
    """Begin a session for whoever shows a key that has a name, or brings a ticket first."""
    given: Mapping[str, str] = {}
    try:
        refuse_other_sites(req)
        given = form_of(req)
        cookie = await asyncio.to_thread(_session, req, given, services)
    except RefusedError as error:
        there = own_address(given.get("next", ""))
        return _shown(req, there=there, wrong=error.reason, status=error.status)
    except (PermanentError, TransientError) as error:
        return trouble(error, words_of(req), None)
    except Exception:
        log.exception("incident %s", incident := new_incident())
        return failed(incident, words_of(req), None)
    return page(
        "",
        status=303,
        headers={
            "Location": own_address(given.get("next", "")),
            "Set-Cookie": cookie_of(cookie, secure=is_over_https(req)),
        },
    )


async def sign_out(req: func.HttpRequest, services: Services) -> func.HttpResponse:
    """Have the browser forget the session."""

    async def out(asked: Asked) -> func.HttpResponse:
        refuse_forged(req, form_of(req), asked, SIGN_OUT)
        ended = cookie_of("", secure=is_over_https(req))
        return page("", status=303, headers={"Location": "/ui/sign-in", "Set-Cookie": ended})

    return await answered(req, services, out)


def own_address(text: str) -> str:
    """The address, if it is one of the page's own; otherwise the page's first."""
    fits = len(text) <= LONGEST_ADDRESS and not has_key(text) and _OWN.fullmatch(text) is not None
    path = unquote(text.partition("?")[0]).lower()
    return text if fits and not path.startswith("/ui/sign-") and not _UPWARDS.search(path) else "/ui"


def _session(req: func.HttpRequest, given: Mapping[str, str], services: Services) -> str:
    now, access = datetime.now(UTC), services.access
    if given.get("ticket"):
        return signed_in_by_ticket(given["ticket"], access, services.signatures, services.ledger.requests, now)
    caller = _address_of_caller(req)
    if services.wrong_keys.too_many(caller, now):
        raise RefusedError(429, "too_many_wrong_keys", _("Too many wrong keys came from here. Wait a minute."))
    try:
        return signed_in_by_key(given.get("key", ""), access, services.signatures, now)
    except RefusedError as error:
        if error.status == 403:
            services.wrong_keys.another(caller, now)
        raise


def _address_of_caller(req: func.HttpRequest) -> str:
    """As the platform's front end tells it: it writes what it saw behind whatever was sent.

    The port beside it is that of the connection, another one at each try.
    """
    seen = (req.headers.get("X-Forwarded-For") or "").rpartition(",")[2].strip()[:64]
    with_port = _PORT.fullmatch(seen)
    return with_port[1] if with_port else seen


def _shown(
    req: func.HttpRequest, *, there: str, ticket: str = "", wrong: str = "", status: int = 200
) -> func.HttpResponse:
    view: Any = Door(ticket=ticket, there=there, wrong=wrong)
    headers = {"Retry-After": "60"} if status == 429 else {}
    return whole_page(_DOOR, view, words_of(req), status=status, headers=headers)
