"""Tokens of Microsoft Entra by ``azure-identity``: of the app's managed identity, or of a service principal.

Which of them is said by the settings alone. ``DefaultAzureCredential`` is not used: it tries one source after the
other, so that a missing setting shows as a wait of seconds or as the rights of whoever is signed in.
"""

import os
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from azure.core.credentials import AccessToken, AccessTokenInfo, TokenCredential, TokenRequestOptions
from azure.core.exceptions import AzureError

from shared.clients.foreign_answers import foreign, json_object, stranger
from shared.clients.transient import transient
from shared.errors import Code, EdgetrainError, PermanentError

_ENDPOINT: Final = "IDENTITY_ENDPOINT"  # set by Azure Functions where the app has an identity
_SERVICE: Final = "the token service of Microsoft Entra"
_TOKEN: Final = re.compile(r"[\x21-\x7e]+")
# Few tries and short waits: the durable retry policy waits better than a call that blocks a worker's thread.
_CALL: Final[dict[str, Any]] = {
    "retry_total": 2,
    "retry_backoff_factor": 0.2,
    "retry_backoff_max": 2,
    "connection_timeout": 5,
    "read_timeout": 10,
}
_OUTSIDE = (AzureError, ValueError, KeyError, TypeError, AttributeError)  # azure-identity lets errors of MSAL through


class NoIdentityError(PermanentError):
    """Nobody gives this process tokens: no identity is turned on."""


class CheckedCredential:
    """A ``TokenCredential`` whose errors are :class:`EdgetrainError`, and name what to do. Safe to share by threads.

    The SDKs would report a token that nobody issued as a service that did not answer, or as a wrong key.
    """

    def __init__(self, credential: TokenCredential, environment: Mapping[str, str] = os.environ) -> None:
        self._credential: Any = credential
        self._environment = environment

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """A token for a scope such as ``https://storage.azure.com/.default``."""
        token: AccessToken = self._ask(lambda: self._credential.get_token(*scopes, **options))
        return token

    def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        """The same in the newer form that the SDKs prefer."""
        token: AccessTokenInfo = self._ask(lambda: self._credential.get_token_info(*scopes, options=options))
        return token

    def close(self) -> None:
        """Close the connections."""
        self._credential.close()

    def _ask(self, call: Callable[[], Any]) -> Any:
        try:
            answer = call()
        except _OUTSIDE as error:
            raise _said_before(error) or _translated(error, self._environment) from None
        if not isinstance(answer.token, str) or not _TOKEN.fullmatch(answer.token):  # it goes into a header
            raise stranger(_SERVICE, "JSON without a token")
        return answer


def managed_identity(client_id: str = "") -> CheckedCredential:
    """The identity that the app runs as; ``client_id`` chooses a user-assigned one."""
    from azure.identity import ManagedIdentityCredential

    return CheckedCredential(
        ManagedIdentityCredential(
            client_id=client_id or None,
            raw_response_hook=_hook("AZURE_CLIENT_ID, and that the app has this identity"),
            **_CALL,
        )
    )


def service_principal(
    tenant_id: str, client_id: str, secret: str, *, setting: str, authority: str = "", ca_bundle: str = ""
) -> CheckedCredential:
    """A service principal; ``authority``: of another cloud than the public one, with scheme.

    ``setting``: where the secret is from, for whoever reads that it was refused.
    """
    from azure.identity import ClientSecretCredential

    elsewhere = {"authority": authority, "disable_instance_discovery": True} if authority else {}
    options: dict[str, Any] = {**_CALL, **elsewhere, "connection_verify": ca_bundle or True}
    return CheckedCredential(
        ClientSecretCredential(
            tenant_id,
            client_id,
            secret,
            raw_response_hook=_hook(f"{setting}, which may have run out, and the tenant and client id beside it"),
            **options,
        )
    )


def signed_in(client_id: str = "") -> CheckedCredential:  # noqa: ARG001 - a person has one identity
    """Whoever signed in with ``az login`` or ``azd auth login``: for programs that people run."""
    from azure.identity import AzureCliCredential, AzureDeveloperCliCredential, ChainedTokenCredential

    return CheckedCredential(ChainedTokenCredential(AzureCliCredential(), AzureDeveloperCliCredential()))


def _hook(check: str) -> Callable[[Any], None]:
    """A hook for ``azure-identity``, whose errors do not tell a refusal from a service that is down or another one."""
    return lambda answer: _require_consent(answer, check)


def _require_consent(answer: Any, check: str) -> None:
    response = answer.http_response
    status = response.status_code
    if instead := foreign(status, response.headers.get("Content-Type")):
        raise stranger(_SERVICE, instead)
    if 400 <= status < 500 and status not in {408, 429}:
        reason = f"{_SERVICE} refused us with {status}; check {check}"
        raise PermanentError(reason, code=Code.BAD_CONFIGURATION)
    if status == 200:  # azure-identity would write what it cannot read into the log, and a token may be in it
        json_object(response.body(), _SERVICE)


def _said_before(error: BaseException | None) -> EdgetrainError | None:
    """What our hook said of an answer, where azure-identity wraps what comes from MSAL into an error of its own."""
    while error is not None and not isinstance(error, EdgetrainError):
        error = error.__cause__
    return error


def _translated(error: Exception, environment: Mapping[str, str]) -> EdgetrainError:
    """What is wrong with the identity; the texts of ``azure-identity`` name the wrong cause, so none is quoted."""
    if _is_alone(error, environment):
        reason = (
            "the app has no identity to speak to Azure with: turn on its managed identity, or set a key or a client "
            "secret in the app settings"
        )
        return NoIdentityError(reason, code=Code.BAD_CONFIGURATION)
    if isinstance(error, AzureError):
        return transient(f"{_SERVICE} did not issue a token ({type(error).__name__})", check="the network of the app")
    return stranger(_SERVICE, f"content of another shape ({type(error).__name__})")


def _is_alone(error: Exception, environment: Mapping[str, str]) -> bool:
    from azure.identity import CredentialUnavailableError

    return isinstance(error, CredentialUnavailableError) and _ENDPOINT not in environment
