"""Requests for screens and assets, to answers. What may go wrong is a page too, with the cause and what to do."""

import inspect
import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from http import HTTPStatus
from importlib import import_module
from typing import Any, Final
from urllib.parse import quote

import azure.durable_functions as df
import azure.functions as func

from function_app.composition import Services
from function_app.page.addresses import SCREENS, Screen
from function_app.page.readers import Reader, reader_of
from function_app.page.rendering import ASSETS, KINDS, asset_digest, digest_of, render, render_live
from function_app.page.texts import Words, words_for
from function_app.problems import RefusedError, status_of_code
from shared.errors import PermanentError, TransientError

log = logging.getLogger(__name__)

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self';"
    " frame-ancestors 'none'; base-uri 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Vary": "Accept-Language, Cookie",
}
FOR_EVER: Final = "public, max-age=31536000, immutable"
ZONE_COOKIE: Final = "zone"
SEEN: Final = "page-seen"
"""Header of a request for the changing part: the digest of what the page has."""
_NAVIGATION: Final = ("now", "targets", "models", "why", "doctor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a screen is asked: parts of its address, its query, who reads it."""

    route: Mapping[str, str]
    query: Mapping[str, str]
    reader: Reader
    words: Words


async def show(
    screen: Screen, req: func.HttpRequest, services: Services, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """A screen, its changing part, or 204 when that is what the page has already."""
    words = words_of(req)
    reader = reader_of(req, services)
    if reader is None:
        return sign_in_first(req)
    asked = Asked(route=dict(req.route_params), query=dict(req.params), reader=reader, words=words)
    try:
        view = await _view(screen, asked, services, client)
        values = _shared(screen, reader) | _fields(view)
        live = render_live(screen.module, words, values)
        if req.headers.get("HX-Request") == "true":
            return _part(live, req.headers.get(SEEN, ""))
        return page(render(screen.module, words, values | {"seen": digest_of(live)}))
    except (RefusedError, PermanentError, TransientError) as error:
        return trouble(error, words, reader)
    except Exception:
        incident = uuid.uuid4().hex[:12]
        log.exception("incident %s", incident)
        return _fault(
            500, words.text("The app failed. Its log has the error under incident %(id)s.", id=incident), words, reader
        )


def asset(name: str) -> func.HttpResponse:
    """A file of ours; nothing outside of the folder can be named."""
    kind = KINDS.get(name[name.rfind(".") :]) if "." in name else None
    known = {each.name for each in ASSETS.iterdir()}
    if kind is None or name not in known:
        return func.HttpResponse(status_code=404, headers={"Cache-Control": "no-store"})
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": FOR_EVER, "ETag": f'"{asset_digest(name)}"'}
    return func.HttpResponse((ASSETS / name).read_bytes(), mimetype=kind, charset="utf-8", headers=headers)


def page(html: str, *, status: int = 200, headers: Mapping[str, str] | None = None) -> func.HttpResponse:
    """HTML with the headers that every page has."""
    return func.HttpResponse(
        html, status_code=status, mimetype="text/html", charset="utf-8", headers={**HEADERS, **(headers or {})}
    )


def sign_in_first(req: func.HttpRequest) -> func.HttpResponse:
    """Whoever is not known is led to the door, and back afterwards; a part of a page says so to the page's script."""
    if req.headers.get("HX-Request") == "true":
        return page("", status=401)
    there = quote(address_of(req), safe="")
    return page("", status=303, headers={"Location": f"/ui/sign-in?next={there}"})


def trouble(error: RefusedError | PermanentError | TransientError, words: Words, reader: Reader) -> func.HttpResponse:
    """The page for one of our errors."""
    if isinstance(error, RefusedError):
        return _fault(error.status, error.reason, words, reader)
    if isinstance(error, PermanentError):
        return _fault(status_of_code(error.code), error.reason, words, reader)
    return _fault(503, str(error), words, reader)


def words_of(req: func.HttpRequest) -> Words:
    """In which language and zone the reader is spoken to."""
    cookies = cookies_of(req)
    zone = cookies.get(ZONE_COOKIE, "")
    return words_for(req.headers.get("Accept-Language", ""), zone, datetime.now(UTC))


def cookies_of(req: func.HttpRequest) -> dict[str, str]:
    """The cookies of a request, by name."""
    pairs = (part.strip().partition("=") for part in req.headers.get("Cookie", "").split(";"))
    return {name: value.replace("%2F", "/") for name, _, value in pairs if name}


def address_of(req: func.HttpRequest) -> str:
    """Path and query of a request; the page's own when it is none of its addresses."""
    path = "/" + req.url.partition("://")[2].partition("/")[2] if "://" in req.url else req.url
    return path if path == "/ui" or path.startswith(("/ui/", "/ui?")) else "/ui"


def _part(live: str, seen: str) -> func.HttpResponse:
    digest = digest_of(live)
    if seen == digest:
        return page("", status=204)
    return page(live, headers={"Page-Seen": digest})


def _fault(status: int, detail: str, words: Words, reader: Reader) -> func.HttpResponse:
    values = _shared(SCREENS[0], reader) | {"status": status, "title": HTTPStatus(status).phrase, "detail": detail}
    return page(render("fault", words, values | {"seen": ""}), status=status)


async def _view(screen: Screen, asked: Asked, services: Services, client: df.DurableOrchestrationClient) -> Any:
    view = import_module(f"function_app.page.screens.{screen.module}").view
    given = {"asked": asked, "services": services, "client": client}
    return await view(**{name: given[name] for name in inspect.signature(view).parameters})


def _shared(screen: Screen, reader: Reader) -> dict[str, Any]:
    return {"screen": screen, "reader": reader, "navigation": _NAVIGATION}


def _fields(view: Any) -> dict[str, Any]:
    return {part.name: getattr(view, part.name) for part in fields(view)}
