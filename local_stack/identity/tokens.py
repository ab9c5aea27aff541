"""Access tokens: issued by one, checked by every stand-in that is given the issuer's file.

The claims are those of Microsoft Entra's tokens of version 1.0 that Azure's services look at.
https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
"""

import secrets
import uuid
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import jwt

from local_stack.files import read_object, write_object

STORAGE: Final = "https://storage.azure.com"
SERVICE_BUS: Final = "https://servicebus.azure.net"
EVENT_GRID: Final = "https://eventgrid.azure.net"
KEY_VAULT: Final = "https://vault.azure.net"
MANAGEMENT: Final = "https://management.azure.com"
AZURE_ML: Final = "https://ml.azure.com"
RESOURCES: Final = frozenset({STORAGE, SERVICE_BUS, EVENT_GRID, KEY_VAULT, MANAGEMENT, AZURE_ML})
"""What tokens are issued for; Entra refuses what no tenant has."""
_SKEW: Final = 300  # seconds that a token begins before it is issued, as at Entra
_AHEAD: Final = 30  # seconds that a checker's clock may be behind


class RefusedTokenError(Exception):
    """The token opens nothing; the text says why, and holds nothing of it."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """A tenant. ``identities``: client id -> object id of what may ask; the first is the system-assigned one."""

    tenant: str
    key: str = field(repr=False)
    identities: dict[str, str]

    @classmethod
    def open(cls, file: Path) -> "Issuer":
        """What ``file`` holds; it is written (0600) when there is none."""
        known = read_object(file)
        if not known:
            ids = {str(uuid.uuid4()): str(uuid.uuid4()) for _ in range(2)}
            known = {"tenant": str(uuid.uuid4()), "key": secrets.token_urlsafe(48), "identities": ids}
            write_object(file, known)
        return cls(**known)

    def issue(self, resource: str, client_id: str, *, now: int, seconds: int) -> str:
        """A token of this identity for a resource."""
        claims = {
            "aud": resource,
            "iss": f"https://sts.windows.net/{self.tenant}/",
            "tid": self.tenant,
            "appid": client_id,
            "oid": self.identities[client_id],
            "sub": self.identities[client_id],
            "ver": "1.0",
            "iat": now,
            "nbf": now - _SKEW,
            "exp": now + seconds,
        }
        return jwt.encode(claims, self.key, algorithm="HS256")

    def check(self, token: str, resource: str, *, now: float) -> dict[str, Any]:
        """The claims of a token for this resource; raises :class:`RefusedTokenError`."""
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self.key,
                algorithms=["HS256"],
                issuer=f"https://sts.windows.net/{self.tenant}/",
                # By the caller's clock, below; and an audience may end with a slash.
                options={"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False},
            )
        except jwt.InvalidTokenError:
            raise RefusedTokenError("the token is not one that we issued") from None
        if str(claims.get("aud", "")).rstrip("/") != resource.rstrip("/"):
            raise RefusedTokenError("the token's audience is another service")
        if now > claims["exp"]:
            raise RefusedTokenError("the token has expired")
        if now < claims["nbf"] - _AHEAD:
            raise RefusedTokenError("the token is not valid yet")
        return claims


def bearer(authorization: str) -> str:
    """The token of an ``Authorization`` header; empty when it has none."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def known_resource(resource: str, others: Collection[str] = ()) -> str:
    """The resource that is meant, as tokens name it; empty when there is none such. ``others``: of stand-ins."""
    plain = resource.rstrip("/")
    return plain if plain in RESOURCES or plain in others else ""
