"""Shared access signatures: the namespace's key, and the tokens clients make with it.

Source of the form: the Service Bus documentation on shared access signatures, and the SDK that makes them.
"""

import base64
import hashlib
import hmac
import urllib.parse
from dataclasses import dataclass, field
from typing import Final

from local_stack.identity.tokens import SERVICE_BUS, Issuer, RefusedTokenError

KEY_NAME: Final = "RootManageSharedAccessKey"
_PREFIX: Final = "SharedAccessSignature "


class UnauthorizedError(Exception):
    """The token does not open the namespace."""


@dataclass(frozen=True, slots=True)
class AccessKey:
    """The namespace's one key; and whose tokens of identities are taken besides."""

    value: str = field(repr=False)
    name: str = KEY_NAME
    issuer: Issuer | None = None

    def admit(self, token: str, name: str, now: float) -> str:
        """The path that a signature, or a token sent for the address ``name``, opens, in lower case.

        Raises :class:`UnauthorizedError`.
        """
        if self.issuer is None or token.startswith(_PREFIX):
            return self.check(token, now)
        try:
            self.issuer.check(token, SERVICE_BUS, now=now)
        except RefusedTokenError as error:
            raise UnauthorizedError(f"Unauthorized access: {error}.") from None
        return path_of(urllib.parse.unquote(name)).lower()

    def check(self, token: str, now: float) -> str:
        """The path a token is good for, in lower case. Raises :class:`UnauthorizedError`."""
        fields = dict(part.partition("=")[::2] for part in token.removeprefix(_PREFIX).split("&"))
        resource, expiry = fields.get("sr", ""), fields.get("se", "")
        signed = hmac.new(self.value.encode(), f"{resource}\n{expiry}".encode(), hashlib.sha256).digest()
        given = urllib.parse.unquote(fields.get("sig", "")).encode()
        genuine = hmac.compare_digest(base64.b64encode(signed), given)
        if not (genuine and fields.get("skn") == self.name and token.startswith(_PREFIX)):
            raise UnauthorizedError("Unauthorized access: the token's signature or key name is not valid.")
        if not expiry.isdecimal() or int(expiry) <= now:
            raise UnauthorizedError("Unauthorized access: the token has expired.")
        return path_of(urllib.parse.unquote(resource)).lower()

    def connection_string(self, host: str, port: int) -> str:
        """What clients are given; without the last part the SDK would insist on TLS and ignore the port."""
        return (
            f"Endpoint=sb://{host}:{port};SharedAccessKeyName={self.name};SharedAccessKey={self.value};"
            "UseDevelopmentEmulator=true;"
        )


def path_of(address: str) -> str:
    """An address without scheme, host and port."""
    _, scheme, rest = address.partition("://")
    path = rest.partition("/")[2] if scheme else address
    return path.strip("/")
