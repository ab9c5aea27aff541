"""Who may publish: the topic's key, a signature made with it, or an identity's token where an issuer is known.

Source of the forms: ``azure-eventgrid`` (``generate_sas``) and the service's page on authenticating publishers.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qs, urlsplit

from local_stack.identity.tokens import EVENT_GRID, Issuer, RefusedTokenError, bearer

_SCHEME: Final = "SharedAccessSignature "


def new_key() -> str:
    """A key in the service's form, base64."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


def same(presented: str, key: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(presented.encode("utf-8", "surrogateescape"), key.encode())


def may_publish(
    headers: Mapping[str, str], *, key: str, endpoint: str, now: float, issuer: Issuer | None = None
) -> bool:
    """Whether the headers hold the key of the topic at ``endpoint``, or a signature or a token that is still good."""
    if issuer is not None and (token := bearer(headers.get("Authorization", ""))):
        return _is_issued(token, issuer, now)
    if presented := headers.get("aeg-sas-key"):
        return same(presented, key)
    token = headers.get("aeg-sas-token", "")
    authorization = headers.get("Authorization", "")
    if not token and authorization.startswith(_SCHEME):
        token = authorization.removeprefix(_SCHEME)
    return bool(token) and _is_signed(token, key=key, endpoint=endpoint, now=now)


def _is_issued(token: str, issuer: Issuer, now: float) -> bool:
    try:
        issuer.check(token, EVENT_GRID, now=now)
    except RefusedTokenError:
        return False
    return True


def _is_signed(token: str, *, key: str, endpoint: str, now: float) -> bool:
    unsigned, separator, _ = token.rpartition("&s=")
    fields = parse_qs(token)
    resource, expiry, signature = (fields.get(name, [""])[0] for name in ("r", "e", "s"))
    if not separator:
        return False
    try:
        presented = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        return False
    expected = hmac.new(base64.b64decode(key), unsigned.encode("utf-8", "surrogateescape"), hashlib.sha256).digest()
    if not hmac.compare_digest(presented, expected):
        return False
    return _is_for(resource, endpoint) and _is_after(expiry, now)


def _is_for(resource: str, endpoint: str) -> bool:
    signed, own = urlsplit(resource), urlsplit(endpoint)
    return (signed.scheme, signed.netloc, signed.path) == (own.scheme, own.netloc, own.path)


def _is_after(expiry: str, now: float) -> bool:
    try:
        moment = datetime.fromisoformat(expiry)
    except ValueError:
        return False
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() > now
