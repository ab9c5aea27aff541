"""Authentication at a container registry: the ``Authorization`` header of each request, known before it is sent.

It is sent at once, since a registry that refuses first makes every piece of an upload travel twice.

Two ways, besides anonymous access:

- :class:`PasswordLogin`: Basic, until the registry points to a token service; from then on Bearer tokens from there
  (distribution "Token Authentication Specification"; at ACR "Access Tokens - Get From Login").
- :class:`EntraLogin`: a Microsoft Entra token, exchanged at ACR for a refresh token, and that for an access token
  (ACR "Refresh Tokens - Get From Exchange", "Access Tokens - Get").

Neither service states token lifetimes reliably, so tokens are used for a time shorter than any setting, and renewed
when one is refused.
"""

import base64
import re
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import urljoin, urlsplit

import requests

from shared.clients.foreign_answers import foreign, json_object, stranger
from shared.clients.identity import CheckedCredential, NoIdentityError
from shared.clients.registry_answers import unavailable
from shared.errors import Code, PermanentError

ACCESS_SECONDS = 55.0  # the distribution specification lets a token live 60 s when nothing is said
REFRESH_SECONDS = 3600.0  # at ACR they live three hours
TIMEOUT = (10.0, 60.0)  # to connect, to answer; seconds
_SCOPE = "https://management.azure.com/.default"
_CHECK = "check EDGETRAIN_CONTAINER_REGISTRY__USERNAME and __PASSWORD, or the roles of the app's identity"
_TOKEN = re.compile(r"[\x21-\x7e]+")

Scopes = tuple[str, ...]
"""What a request needs, each like ``repository:models/digits:pull,push``."""


class Login(Protocol):
    """Provides the ``Authorization`` header."""

    def header(self, scopes: Scopes) -> str | None:
        """The header's value for a request that needs these scopes, or None to send none."""

    def refused(self, challenge: str, scopes: Scopes) -> bool:
        """Handle a 401 with its ``WWW-Authenticate``; True when the request is worth one more try."""


class AnonymousLogin:
    """No credentials."""

    def header(self, scopes: Scopes) -> str | None:  # noqa: ARG002 - the protocol's
        """None: no header is sent."""
        return None

    def refused(self, challenge: str, scopes: Scopes) -> bool:  # noqa: ARG002 - the protocol's
        """False: there are no other credentials to try."""
        return False


class _TokenCache:
    """Tokens by purpose, each for a limited time. Thread-safe."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens: dict[Scopes, tuple[str, float]] = {}

    def get(self, key: Scopes, seconds: float, fetch: Callable[[], str]) -> str:
        with self._lock:  # held while fetching: parallel uploads then share one token
            token, expires = self._tokens.get(key, ("", 0.0))
            if not token or self._clock() >= expires:
                token = fetch()
                self._tokens[key] = (token, self._clock() + seconds)
            return token

    def drop(self, key: Scopes) -> bool:
        """Forget a token; false when there was none."""
        with self._lock:
            return self._tokens.pop(key, None) is not None


class PasswordLogin:
    """A user name and password: of a local registry, an ACR token with a scope map, or a service principal."""

    def __init__(
        self, registry: str, username: str, password: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._registry = registry
        pair = base64.b64encode(f"{username}:{password}".encode()).decode("ascii")
        self._basic = f"Basic {pair}"
        self._service: tuple[str, str] | None = None  # address and name of the token service
        self._tokens = _TokenCache(clock)

    def header(self, scopes: Scopes) -> str | None:
        """Basic, or Bearer once a token service is known."""
        if self._service is None:
            return self._basic
        return f"Bearer {self._tokens.get(scopes, ACCESS_SECONDS, lambda: self._fetch(scopes))}"

    def refused(self, challenge: str, scopes: Scopes) -> bool:
        """True when the registry names a token service for the first time, or refuses a token that may have expired."""
        if self._service is not None:
            return self._tokens.drop(scopes)
        service = _token_service(challenge)
        if service is None:
            return False
        realm = urljoin(self._registry, service[0])
        if _origin(realm) != _origin(self._registry):
            # The password is sent to the address that the reply names, so that is checked.
            reason = (
                f"the registry {self._registry} sends logins to another host, {_origin(realm)}, which is not followed; "
                "use a registry that takes logins at its own address"
            )
            raise PermanentError(reason, code=Code.REGISTRY_REFUSED)
        self._service = (realm, service[1])
        return True

    def _fetch(self, scopes: Scopes) -> str:
        assert self._service is not None  # noqa: S101 - set before a token is ever asked for
        realm, service = self._service
        query = [("service", service), *(("scope", scope) for scope in scopes)]
        headers = {"Authorization": self._basic}
        return _token("GET", realm, ("access_token", "token"), params=query, headers=headers)


class EntraLogin:
    """An identity of Microsoft Entra at an Azure Container Registry. ``entra_token`` gives a token for ARM."""

    def __init__(
        self, registry: str, entra_token: Callable[[], str], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._registry = registry
        self._entra_token = entra_token
        self._refresh = _TokenCache(clock)
        self._access = _TokenCache(clock)

    def header(self, scopes: Scopes) -> str | None:
        """Always Bearer."""
        return f"Bearer {self._access.get(scopes, ACCESS_SECONDS, lambda: self._fetch(scopes))}"

    def refused(self, challenge: str, scopes: Scopes) -> bool:  # noqa: ARG002 - the protocol's
        """True the first time that a token is refused, since it may have expired."""
        self._refresh.drop(())
        return self._access.drop(scopes)

    def _fetch(self, scopes: Scopes) -> str:
        refresh = self._refresh.get((), REFRESH_SECONDS, self._exchange)
        form = [("grant_type", "refresh_token"), ("service", self._host), ("refresh_token", refresh)]
        form += [("scope", scope) for scope in scopes]
        return _token("POST", f"{self._registry}/oauth2/token", ("access_token",), data=form)

    def _exchange(self) -> str:
        form = [("grant_type", "access_token"), ("service", self._host), ("access_token", self._entra_token())]
        return _token("POST", f"{self._registry}/oauth2/exchange", ("refresh_token",), data=form)

    @property
    def _host(self) -> str:
        return urlsplit(self._registry).netloc


def identity_token(identity: Callable[[], CheckedCredential]) -> str:
    """A token of this identity for Azure Resource Manager, which is what ACR takes in exchange."""
    try:
        return identity().get_token(_SCOPE).token
    except NoIdentityError:
        reason = (
            "there is no login for the container registry: give the app a managed identity with the role AcrPush, or"
            " set EDGETRAIN_CONTAINER_REGISTRY__USERNAME and __PASSWORD"
        )
        raise PermanentError(reason, code=Code.BAD_CONFIGURATION) from None


def _token(method: str, url: str, names: tuple[str, ...], **options: Any) -> str:
    """The token under one of these names in a service's reply, checked to be safe in a header."""
    reply = json_object(_ask(method, url, **options), f"the login service {_origin(url)}")
    for name in names:
        token = reply.get(name)
        if isinstance(token, str) and _TOKEN.fullmatch(token):
            return token
    raise stranger(f"the login service {_origin(url)}", "JSON without a token")


def _ask(method: str, url: str, **options: Any) -> bytes:
    """One request to a token service. Its replies hold tokens, so no text of theirs is repeated in errors."""
    try:
        response = requests.request(method, url, timeout=TIMEOUT, allow_redirects=False, **options)
    except requests.RequestException as error:
        raise unavailable(f"the login service {_origin(url)} did not answer: {type(error).__name__}") from error
    status = response.status_code
    if instead := foreign(status, response.headers.get("Content-Type")):
        raise stranger(f"the login service {_origin(url)}", instead)
    if status in {408, 429} or status >= 500:
        raise unavailable(f"the login service {_origin(url)} answered {status}")
    if status != 200:
        reason = f"the login service {_origin(url)} refused us with {status}; {_CHECK}"
        raise PermanentError(reason, code=Code.REGISTRY_REFUSED)
    return response.content


def _token_service(challenge: str) -> tuple[str, str] | None:
    """Address and name of the token service that a Bearer challenge names."""
    scheme, _, parameters = challenge.partition(" ")
    if scheme.lower() != "bearer":
        return None
    values = dict(re.findall(r'(\w+)="([^"]*)"', parameters))
    return (values["realm"], values.get("service", "")) if "realm" in values else None


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
