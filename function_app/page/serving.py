"""Requests for screens and assets, to answers. What may go wrong is a page too, with the cause and what to do."""

import asyncio
import inspect
import logging
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from importlib import import_module
from typing import Any, Final
from urllib.parse import quote, unquote

import azure.durable_functions as df
import azure.functions as func

from function_app.composition import Services
from function_app.page.addresses import SCREENS, Screen
from function_app.page.late import try_again
from function_app.page.later import _
from function_app.page.rendering import ASSETS, KINDS, asset_compressed, asset_digest, digest_of, render, render_live
from function_app.page.roles import ROLE_NAMES
from function_app.page.texts import Words, words_for
from function_app.page.told import told, told_once
from function_app.page.who import Reader, cookies_of, reader_of
from function_app.problems import RefusedError, status_of_code
from function_app.sessions import Signatures
from shared.decisions.access.roles import Role
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
KEY_IN_ADDRESS: Final = "code="
"""What an address has in which somebody put a key; such a one is repeated nowhere."""
LONGEST_ADDRESS: Final = 2000
"""Of what is led back to after the door; it goes into a header."""
SIGN_OUT: Final = "sign-out"
"""For what the token of the button that signs out is good."""
ZONE_COOKIE: Final = "zone"
SEEN: Final = "page-seen"
"""Header of a request for the changing part: the digest of what the page has."""
_TITLES: Final[Mapping[int, str]] = {
    400: _("This cannot be read"),
    403: _("Not allowed"),
    404: _("Not found"),
    409: _("Not possible now"),
    413: _("Too long"),
    415: _("This cannot be read"),
    500: _("The app failed"),
    503: _("No answer"),
}
_NOT_DONE: Final = _("This cannot be done")
_NAVIGATION: Final = ("now", "targets", "models", "why", "doctor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the page is asked: parts of the address, its query, who reads it. ``signs``: what signs the forms, if so."""

    route: Mapping[str, str]
    query: Mapping[str, str]
    reader: Reader
    words: Words
    now: datetime
    signs: Signatures | None = None
    told: str = ""

    def token(self, purpose: str) -> str:
        """What a form for that carries; empty where nothing signs, so that nothing can be done."""
        return self.signs.token(self.reader.bound, purpose, self.now) if self.signs is not None else ""

    def permit(self, needed: Role) -> None:
        """Nothing, when the reader has that role; raises :class:`DeniedError`."""
        if not self.reader.may(needed):
            raise DeniedError(needed)


class DeniedError(Exception):
    """The reader has not the role that is needed."""

    def __init__(self, needed: Role) -> None:
        super().__init__(needed.value)
        self.needed = needed


async def show(
    screen: Screen, req: func.HttpRequest, services: Services, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """A screen, its changing part, or 204 when that is what the page has already."""

    async def made(asked: Asked) -> func.HttpResponse:
        view = await _view(screen, asked, services, client)
        if req.headers.get("HX-Request") == "true":
            return _part(render_live(screen.module, asked.words, _values(screen, view, asked)), req)
        return shown(screen, view, asked)

    return await answered(req, services, made)


def shown(screen: Screen, view: Any, asked: Asked, *, status: int = 200) -> func.HttpResponse:
    """The whole page of a view.

    What answers a form (its ``status`` is not 200) is not to be had again at its address, so it carries no digest.
    """
    values = _values(screen, view, asked)
    live = render_live(screen.module, asked.words, values)
    headers = {"Set-Cookie": told_once()} if asked.told else {}
    seen = digest_of(live) if status == 200 else ""
    html = render(screen.module, asked.words, values | {"seen": seen}, live=live)
    return page(html, status=status, headers=headers)


async def answered(
    req: func.HttpRequest, services: Services, make: Callable[[Asked], Awaitable[func.HttpResponse]]
) -> func.HttpResponse:
    """What ``make`` answers to somebody who may look; whatever goes wrong is a page that says so."""
    words = words_of(req)
    reader: Reader | None = None
    try:
        now = datetime.now(UTC)
        signs = await asyncio.to_thread(lambda: services.signatures)
        reader = reader_of(req, await asyncio.to_thread(lambda: services.access), signs, now)
        if reader is None:
            return sign_in_first(req)
        asked = Asked(
            route=dict(req.route_params),
            query=dict(req.params),
            reader=reader,
            words=words,
            now=now,
            signs=signs,
            told=told(req),
        )
        asked.permit(Role.READER)
        return await make(asked)
    except DeniedError as denied:
        return _fault(403, denied_text(denied.needed, words), words, reader, own=True)
    except (RefusedError, PermanentError, TransientError) as error:
        return trouble(error, words, reader)
    except Exception:
        log.exception("incident %s", incident := new_incident())
        return failed(incident, words, reader)


def whole_page(
    screen: Screen, view: Any, words: Words, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> func.HttpResponse:
    """A page for somebody who is not known."""
    values = _shared(screen, None) | {part.name: getattr(view, part.name) for part in fields(view)}
    return page(render(screen.module, words, values | {"seen": ""}), status=status, headers=headers)


def asset(name: str, version: str = "", *, encodings: str = "") -> func.HttpResponse:
    """A file of ours; nothing outside of the folder can be named.

    It is kept for ever under the address that says what is in it, and not while another version of the app answers.
    ``encodings``: those that the browser takes, as its header says.
    """
    kind = KINDS.get(name[name.rfind(".") :]) if "." in name else None
    known = {each.name for each in ASSETS.iterdir()}
    if kind is None or name not in known:
        return func.HttpResponse(status_code=404, headers={"Cache-Control": "no-store"})
    digest = asset_digest(name)
    kept = FOR_EVER if version == digest else "no-cache"
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": kept, "Vary": "Accept-Encoding"}
    if _takes_gzip(encodings):
        headers |= {"Content-Encoding": "gzip", "ETag": f'"{digest}-gzip"'}
        return func.HttpResponse(asset_compressed(name), mimetype=kind, charset="utf-8", headers=headers)
    headers["ETag"] = f'"{digest}"'
    return func.HttpResponse((ASSETS / name).read_bytes(), mimetype=kind, charset="utf-8", headers=headers)


def _takes_gzip(encodings: str) -> bool:
    for part in encodings.lower().replace(" ", "").split(","):
        name, _, quality = part.partition(";q=")
        if name == "gzip":
            return not quality or quality.strip("0.") != ""
    return False


def page(html: str, *, status: int = 200, headers: Mapping[str, str] | None = None) -> func.HttpResponse:
    """HTML with the headers that every page has."""
    return func.HttpResponse(
        html, status_code=status, mimetype="text/html", charset="utf-8", headers={**HEADERS, **(headers or {})}
    )


def sign_in_first(req: func.HttpRequest) -> func.HttpResponse:
    """Whoever is not known is led to the door, and back afterwards; a part of a page says so to the page's script."""
    if req.headers.get("HX-Request") == "true":
        return page("", status=401)
    if req.method == "GET" and req.headers.get("Sec-Fetch-Site") in {"cross-site", "same-site"}:
        # The browser keeps the session's cookie back after a link of another site; a page of ours asks once more.
        return page(render("again", words_of(req), {"address": address_of(req)}))
    there = quote(address_of(req) if req.method == "GET" else "/ui", safe="")
    return page("", status=303, headers={"Location": f"/ui/sign-in?next={there}"})


def trouble(
    error: RefusedError | PermanentError | TransientError, words: Words, reader: Reader | None
) -> func.HttpResponse:
    """The page for one of our errors."""
    if isinstance(error, RefusedError):
        return _fault(error.status, error.reason, words, reader)
    if isinstance(error, PermanentError):
        return _fault(status_of_code(error.code), error.reason, words, reader)
    return _fault(503, try_again(error), words, reader)


def new_incident() -> str:
    """By which an error that nobody foresaw is found in the app's log."""
    return uuid.uuid4().hex[:12]


def failed(incident: str, words: Words, reader: Reader | None) -> func.HttpResponse:
    """The page for such an error: the log has it, the page does not."""
    said = words.text("The app failed. Its log has the error under incident %(id)s.", id=incident)
    return _fault(500, said, words, reader, own=True)


def words_of(req: func.HttpRequest) -> Words:
    """In which language and zone the reader is spoken to."""
    zone = cookies_of(req).get(ZONE_COOKIE, "").replace("%2F", "/")
    return words_for(req.headers.get("Accept-Language", ""), zone, datetime.now(UTC))


def address_of(req: func.HttpRequest) -> str:
    """Path and query of a request; the page's own when it is none of its addresses."""
    path = "/" + req.url.partition("://")[2].partition("/")[2] if "://" in req.url else req.url
    path = path.partition("?")[0] if has_key(path) else path
    ours = path == "/ui" or path.startswith(("/ui/", "/ui?"))
    return path if ours and len(path) <= LONGEST_ADDRESS else "/ui"


def has_key(address: str) -> bool:
    """Whether somebody put a key into an address; the host takes its name in any case."""
    return KEY_IN_ADDRESS in unquote(address).lower()


def _part(live: str, req: func.HttpRequest) -> func.HttpResponse:
    digest = digest_of(live)
    if req.headers.get(SEEN, "") == digest:
        return page("", status=204)
    return page(live, headers={"Page-Seen": digest})


def denied_text(needed: Role, words: Words) -> str:
    """That a role is needed, and how it is had."""
    return words.text(
        "This needs the role %(role)s, which you do not have. Whoever runs the app can give it to you.",
        role=words.text(ROLE_NAMES[needed]),
    )


def _fault(status: int, detail: str, words: Words, reader: Reader | None, *, own: bool = False) -> func.HttpResponse:
    values = _shared(SCREENS[0], reader) | {
        "status": status,
        "title": words.text(_TITLES.get(status, _NOT_DONE)),
        "detail": detail,
        "own": own,
    }
    return page(render("fault", words, values | {"seen": ""}), status=status)


async def _view(screen: Screen, asked: Asked, services: Services, client: df.DurableOrchestrationClient) -> Any:
    view = import_module(f"function_app.page.screens.{screen.module}").view
    given = {"asked": asked, "services": services, "client": client}
    return await view(**{name: given[name] for name in inspect.signature(view).parameters})


def _values(screen: Screen, view: Any, asked: Asked) -> dict[str, Any]:
    own = {"told": asked.told, "sign_out": asked.token(SIGN_OUT) if asked.reader.session else ""}
    return _shared(screen, asked.reader) | own | {part.name: getattr(view, part.name) for part in fields(view)}


def _shared(screen: Screen, reader: Reader | None) -> dict[str, Any]:
    return {"screen": screen, "reader": reader, "navigation": _NAVIGATION, "told": "", "sign_out": ""}
