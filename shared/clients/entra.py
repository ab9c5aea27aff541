"""Tokens of Microsoft Entra for Azure's own SDKs: of the app's managed identity, or of a service principal.

``azure-identity`` would do the same and much more; of it all, this is what an app in Azure Functions needs.
"""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import requests
from azure.core.credentials import AccessToken

from shared.clients.foreign_answers import foreign, json_object, stranger
from shared.clients.transient import transient
from shared.errors import Code, PermanentError

_EARLY_SECONDS: Final = 300  # before its end, a token is not used any more
_TIMEOUT: Final = (10.0, 60.0)  # to connect, to answer; seconds


class EntraCredential:
    """Implements ``azure.core.credentials.TokenCredential`` with tokens that ``fetch`` gets; thread-safe.

    ``fetch`` takes a resource such as ``https://management.azure.com/`` and returns a token and the seconds it is good.
    """

    def __init__(self, fetch: Callable[[str], tuple[str, int]], *, clock: Callable[[], float] = time.time) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens: dict[str, AccessToken] = {}

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        """A token for the resource of the one scope, such as ``https://management.azure.com/.default``."""
        resource = scopes[0].removesuffix(".default")
        with self._lock:
            known = self._tokens.get(resource)
            if known is None or known.expires_on - _EARLY_SECONDS < self._clock():
                token, seconds = self._fetch(resource)
                known = self._tokens[resource] = AccessToken(token, int(self._clock()) + seconds)
            return known


def managed_identity(environment: Mapping[str, str], *, client_id: str = "") -> Callable[[str], tuple[str, int]]:
    """Tokens of the identity that the app runs as; ``client_id`` chooses one of several.

    https://learn.microsoft.com/azure/app-service/overview-managed-identity, "REST endpoint reference".
    """

    def fetch(resource: str) -> tuple[str, int]:
        try:
            endpoint, secret = environment["IDENTITY_ENDPOINT"], environment["IDENTITY_HEADER"]
        except KeyError:
            reason = (
                "the app has no identity to speak to Azure with: turn on its managed identity, or set TENANT_ID, "
                "CLIENT_ID and CLIENT_SECRET of the target in the app settings"
            )
            raise PermanentError(reason, code=Code.BAD_CONFIGURATION) from None
        query = {"resource": resource, "api-version": "2019-08-01", **({"client_id": client_id} if client_id else {})}
        return fetch_token("GET", endpoint, params=query, headers={"X-IDENTITY-HEADER": secret})

    return fetch


def client_secret(
    authority: str, tenant_id: str, client_id: str, secret: str, *, ca_bundle: str = ""
) -> Callable[[str], tuple[str, int]]:
    """Tokens of a service principal (OAuth 2.0 client credentials)."""

    def fetch(resource: str) -> tuple[str, int]:
        form = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": secret,
            "scope": f"{resource}.default",
        }
        url = f"{authority.rstrip('/')}/{tenant_id}/oauth2/v2.0/token"
        return fetch_token("POST", url, data=form, verify=ca_bundle or True)

    return fetch


def fetch_token(method: str, url: str, **options: Any) -> tuple[str, int]:
    """The token in a service's answer, which is never repeated in an error, and how long it is good."""
    service = "the token service of Microsoft Entra"
    try:
        response = requests.request(method, url, timeout=_TIMEOUT, allow_redirects=False, **options)
    except requests.RequestException as error:
        raise transient(f"{service} did not answer: {type(error).__name__}", check="the network of the app") from None
    if instead := foreign(response.status_code, response.headers.get("Content-Type")):
        raise stranger(service, instead)
    if response.status_code in {408, 429} or response.status_code >= 500:
        raise transient(f"{service} answered {response.status_code}", check="its health")
    if response.status_code != 200:
        reason = f"{service} refused us with {response.status_code}; check the identity or the client secret of the app"
        raise PermanentError(reason, code=Code.BAD_CONFIGURATION)
    reply = json_object(response.content, service)
    token = reply.get("access_token")
    if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
        raise stranger(service, "JSON without a token")
    try:  # a managed identity's answer has the moment of its end, the other one the seconds until then
        seconds = int(reply["expires_in"]) if "expires_in" in reply else int(reply["expires_on"]) - int(time.time())
    except (KeyError, TypeError, ValueError):
        seconds = 2 * _EARLY_SECONDS
    return token, seconds
