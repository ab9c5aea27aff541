"""Requests to Azure Key Vault by its REST API 7.4, and what its answers mean."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import requests

from shared.clients.foreign_answers import foreign, json_object, stranger
from shared.clients.transient import transient
from shared.errors import Code, PermanentError, TransientError
from shared.values.texts import shortened

API_VERSION: Final = "7.4"
SCOPE: Final = "https://vault.azure.net/.default"
_TIMEOUT: Final = (10.0, 30.0)  # to connect, to answer; seconds


def ask_vault(
    session: requests.Session,
    method: str,
    url: str,
    token: str,
    *,
    body: Mapping[str, str] | None = None,
    remedy: str,
) -> dict[str, Any]:
    """The vault's answer. ``remedy`` completes "check ..." for a refusal. Nothing of a token or a value is repeated."""
    vault = f"the key vault {urlsplit(url).netloc}"
    try:
        response = session.request(
            method,
            f"{url}?api-version={API_VERSION}",
            json=body,
            headers={"Authorization": f"Bearer {token}"},
            timeout=_TIMEOUT,
            allow_redirects=False,
        )
    except requests.RequestException as error:
        raise _unavailable(f"{vault} did not answer: {type(error).__name__}") from None
    if instead := foreign(response.status_code, response.headers.get("Content-Type")):
        raise stranger(vault, instead)
    if response.status_code in {408, 429} or response.status_code >= 500:
        raise _unavailable(f"{vault} answered {response.status_code}")
    if response.status_code != 200:
        reason = f"{vault} refused with {response.status_code} {_said(response)}; check {remedy}"
        raise PermanentError(reason, code=Code.BAD_CONFIGURATION)
    return json_object(response.content, vault)


def _said(response: requests.Response) -> str:
    try:
        return shortened(str(response.json()["error"]["code"]))
    except (ValueError, KeyError, TypeError):
        return ""


def _unavailable(cause: str) -> TransientError:
    return transient(cause, check="the key vault's health and the network between the app and it")
