"""HTTP to the app: one request, one bounded answer, and one of our errors for whatever else may come back.

What answers need not be the app: a proxy's page, a login page, a server that never ends its answer. Answers have a
largest size, and reading one has a longest time. Redirects are not followed, because the key would go along.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import requests
import urllib3

from cli.client.errors import AppRefusedError, NotReachableError, WrongUseError
from cli.client.places import Place, is_loopback
from shared.values.json_text import NotJsonError, read_json
from shared.values.texts import shortened

SECONDS: Final = 240.0  # an answer may take 230 s on Azure, which is where it is cut off
LARGEST: Final = 16 * 1024**2
_CONNECT_SECONDS: Final = 10.0
_PROBLEM: Final = "application/problem+json"
_PROBLEM_TYPE: Final = "urn:edgetrain:"
_CHUNK: Final = 64 * 1024
_KEY_REMEDY: Final = "edgetrain login, or set EDGETRAIN_KEY, or name a file with the key: --key-file FILE"
_REMEDIES: Final = {
    "unknown_run": "edgetrain runs",
    "unknown_pipeline": "edgetrain pipelines",
    "unknown_model": "edgetrain models",
    "nothing_to_roll_back": "edgetrain targets",
    "serves_another": "edgetrain targets",
    "not_waiting": "edgetrain targets",
    "try_again_later": "the same again in a minute",
}
"""By code of a problem: what to type next. Its own sentence says more, in terms of the HTTP API."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer. ``document``: its JSON; None when it is no JSON. ``headers`` by lower-case name."""

    status: int
    headers: Mapping[str, str]
    document: Any
    is_json: bool

    @property
    def media_type(self) -> str:
        """Of the body, without parameters; empty when it does not say."""
        return shortened(self.headers.get("content-type", "").partition(";")[0].strip().lower(), 60)


class Transport:
    """Requests to one app. Close it at the end."""

    def __init__(self, place: Place, *, seconds: float = SECONDS) -> None:
        self.place = place
        self._seconds = seconds
        self._session = session_for(place.url)
        if place.key:
            self._session.headers["x-functions-key"] = place.key

    def close(self) -> None:
        """Give the connection back."""
        self._session.close()

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """The app's answer with a status below 300 and JSON in it; raises one of :mod:`cli.client.errors`.

        ``path`` below ``/api/``, made by :func:`segment`.
        """
        asked = urlencode(query or {}, errors="surrogateescape")
        url = f"{self.place.url}/api/{path}{'?' if asked else ''}{asked}"
        content = None if body is None else json.dumps(body).encode("ascii")
        sent = dict(headers or {}) | ({} if body is None else {"content-type": "application/json"})
        answer = exchange(self._session, method, url, content=content, headers=sent, seconds=self._seconds)
        if answer.status < 300 and answer.is_json:
            return answer
        raise self._error(answer, f"{method} /api/{shortened(path, 100)}")

    def _error(self, answer: Answer, asked: str) -> Exception:
        if answer.media_type == _PROBLEM and isinstance(answer.document, dict):
            return _problem(answer.status, answer.document)
        url, status = self.place.url, answer.status
        if status == HTTPStatus.UNAUTHORIZED:
            what = "refuses the key" if self.place.key else "wants a key, and none was given"
            return AppRefusedError(
                f"the app at {url} {what} (401)", code="unauthorized", status=401, remedy=_KEY_REMEDY
            )
        if status == HTTPStatus.FORBIDDEN:
            reason = f"{url} refuses this machine or this user (403); its firewall or its login decides that"
            return AppRefusedError(reason, code="forbidden", status=403, remedy="ask whoever runs the app")
        if status == HTTPStatus.NOT_FOUND and self._is_app():
            reason = f"the app at {url} has no {asked}: it is older than this command line"
            return AppRefusedError(reason, code="unknown_operation", status=404, remedy="update the app")
        return _no_app(answer, url)

    def _is_app(self) -> bool:
        """Whether the app answers there at all."""
        try:
            health = exchange(self._session, "GET", f"{self.place.url}/api/health", seconds=min(self._seconds, 10.0))
        except NotReachableError:
            return False
        return health.status == HTTPStatus.OK and health.document == {"status": "ok"}


def session_for(url: str) -> requests.Session:
    """A session that takes proxies and authorities from the environment, but no login from ``~/.netrc``."""
    session = requests.Session()
    session.auth = _no_login
    session.headers["user-agent"] = "edgetrain"
    session.headers["accept"] = "application/json, application/problem+json"
    if is_loopback(urlsplit(url).hostname or ""):
        session.trust_env = False  # a proxy of the environment must not catch this machine's own addresses
    return session


def _no_login(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def segment(text: str, what: str) -> str:
    """A name as one segment of an address; raises :class:`WrongUseError` for what no address can hold."""
    if not text or text in {".", ".."} or len(text) > 300:
        raise WrongUseError(f"{text!r} is no {what}" if text else f"the {what} is empty")
    return quote(text, safe="", errors="surrogateescape")


def exchange(
    session: requests.Session,
    method: str,
    url: str,
    *,
    content: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    seconds: float = SECONDS,
) -> Answer:
    """Send a request and read the answer, whatever its status; raises :class:`NotReachableError`."""
    parts = urlsplit(url)
    where = f"{parts.scheme}://{parts.netloc}"
    ends = time.monotonic() + seconds
    try:
        with session.request(
            method,
            url,
            data=content,
            headers=dict(headers or {}),
            timeout=(min(_CONNECT_SECONDS, seconds), seconds),
            allow_redirects=False,
            stream=True,
        ) as response:
            return _answer(response, _read(response, ends, where))
    except (requests.Timeout, urllib3.exceptions.TimeoutError):
        raise _too_slow(where, seconds) from None
    except requests.exceptions.SSLError as error:
        reason = f"the certificate of {where} is not trusted: {_innermost(error)}"
        remedy = "name the authority that signed it in REQUESTS_CA_BUNDLE, or mend the address"
        raise NotReachableError(reason, remedy=remedy) from None
    except requests.exceptions.ProxyError as error:
        reason = f"the proxy on the way to {where} does not let it through: {_innermost(error)}"
        raise NotReachableError(reason, remedy="check HTTPS_PROXY and NO_PROXY") from None
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        reason = f"nothing at {where} answers as an app does: {_innermost(error)}"
        raise NotReachableError(reason, remedy="check the address and whether the app runs") from None


def _read(response: requests.Response, ends: float, where: str) -> bytes:
    parts: list[bytes] = []
    size = 0
    # Not iter_content: it waits for whole chunks, and a server that sends byte by byte would be waited for without end.
    while part := response.raw.read1(_CHUNK, decode_content=True):
        size += len(part)
        if size > LARGEST:
            reason = f"{where} answers with more than {LARGEST // 1024**2} MiB; that is no answer of the app's"
            raise NotReachableError(reason, remedy="check the address")
        if time.monotonic() > ends:
            raise requests.Timeout
        parts.append(part)
    return b"".join(parts)


def _answer(response: requests.Response, content: bytes) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    try:
        return Answer(response.status_code, headers, read_json(content), is_json=True)
    except NotJsonError:
        return Answer(response.status_code, headers, None, is_json=False)


def _problem(status: int, document: Mapping[str, Any]) -> AppRefusedError:
    """The app's own problem document: what is wrong, and what to do about it, in one sentence."""
    code = str(document.get("type") or "").removeprefix(_PROBLEM_TYPE)
    field = document.get("field")
    detail = document.get("detail") or document.get("title") or f"HTTP status {status}"
    where = shortened(field, 100) if isinstance(field, str) else None
    return AppRefusedError(str(detail), code=code, status=status, field=where, remedy=_REMEDIES.get(code, ""))


def _no_app(answer: Answer, url: str) -> NotReachableError:
    said = f"{answer.status}{f', {answer.media_type}' if answer.media_type else ''}"
    if 300 <= answer.status < 400:
        to = urlsplit(answer.headers.get("location", ""))
        elsewhere = shortened(f"{to.scheme}://{to.netloc}", 200) if to.netloc else "another page of it"
        reason = f"{url} sends callers on to {elsewhere} ({said}): it is a login or an old address"
        return NotReachableError(reason, remedy="give the address of the app itself", status=answer.status)
    if answer.status >= 500:
        reason = f"{url} answers {said}, which is not the app's answer: it may be starting, or what is before it fails"
        return NotReachableError(reason, remedy="try again in a minute", status=answer.status)
    reason = f"{url} answers {said}, which is not the app's answer: it is another page, or a proxy's"
    return NotReachableError(reason, remedy="check the address: edgetrain login --url URL", status=answer.status)


def _too_slow(where: str, seconds: float) -> NotReachableError:
    reason = f"{where} gave no complete answer within {seconds:g} s"
    return NotReachableError(reason, remedy="check whether the app runs, or wait longer: --timeout SECONDS")


def _innermost(error: BaseException) -> str:
    """The operating system's own words for what failed."""
    seen: BaseException = error
    for _ in range(10):
        inner = next(
            (each for each in (*seen.args, getattr(seen, "reason", None)) if isinstance(each, BaseException)), None
        )
        inner = inner or seen.__cause__ or seen.__context__
        if inner is None:
            break
        seen = inner
    return shortened(getattr(seen, "strerror", None) or str(seen) or type(seen).__name__, 200)
