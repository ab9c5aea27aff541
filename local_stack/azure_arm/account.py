"""The account that the stand-in plays: subscription, resource group, who may come in, and the state's files."""

import fcntl
import os
import secrets
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import jwt

from local_stack.files import private_folder, read_object, write_object
from local_stack.identity.tokens import Issuer, RefusedTokenError

TOKEN_SECONDS: Final = 3600
LOG_TOKEN_SECONDS: Final = 600
ENVIRONMENT: Final = "edgetrain"
LOCATION: Final = "local"
_SECRETS: Final = ("signing_key", "faults_key", "client_secret")


class StateInUseError(Exception):
    """Another process serves this state."""


@dataclass(slots=True)
class Account:
    """State and identity. ``url`` is known once the server listens."""

    folder: Path
    identity: dict[str, str]
    issuer: Issuer | None = None  # of tokens of managed identities, which are taken besides our own
    url: str = ""
    ca_bundle: Path = Path()
    requests_seen: dict[str, int] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: Path, issuer: Issuer | None = None) -> "Account":
        """Open the state in ``folder``, or make a new account. Raises :class:`StateInUseError`."""
        private_folder(folder)
        _hold(folder)
        path = folder / "identity.json"
        identity = read_object(path)
        if not identity:
            identity = {
                "subscription_id": str(uuid.uuid4()),
                "resource_group": "edgetrain",
                "tenant_id": str(uuid.uuid4()),
                "client_id": str(uuid.uuid4()),
                **{name: secrets.token_urlsafe(24) for name in _SECRETS},
            }
            write_object(path, identity)
        return cls(folder, identity, issuer)

    @property
    def group(self) -> str:
        """The resource group's ARM path."""
        return f"/subscriptions/{self.identity['subscription_id']}/resourceGroups/{self.identity['resource_group']}"

    @property
    def environment_id(self) -> str:
        """The ARM id of the only environment that apps may name."""
        return f"{self.group}/providers/Microsoft.App/managedEnvironments/{ENVIRONMENT}"

    def app_id(self, name: str) -> str:
        """The ARM id of a container app."""
        return f"{self.group}/providers/Microsoft.App/containerApps/{name}"

    def token(self, audience: str, *, seconds: int = TOKEN_SECONDS) -> str:
        """A bearer token that is good for ``audience``."""
        now = int(time.time())
        claims = {"aud": audience, "tid": self.identity["tenant_id"], "iat": now, "nbf": now - 60, "exp": now + seconds}
        return jwt.encode(claims, self.identity["signing_key"], algorithm="HS256")

    def admits(self, token: str, audience: str) -> bool:
        """Whether we, or the issuer of managed identities, issued the token for that audience, and it is still good."""
        try:
            jwt.decode(token, self.identity["signing_key"], algorithms=["HS256"], audience=audience)
        except jwt.InvalidTokenError:
            return self._is_issued(token, audience)
        return True

    def _is_issued(self, token: str, audience: str) -> bool:
        if self.issuer is None:
            return False
        try:
            self.issuer.check(token, audience, now=time.time())
        except RefusedTokenError:
            return False
        return True

    def endpoints(self) -> dict[str, Any]:
        """What a client needs to know."""
        return {
            "url": self.url,
            "authority": self.url,
            "ca_bundle": str(self.ca_bundle),
            "environment_id": self.environment_id,
            "location": LOCATION,
            **{name: value for name, value in self.identity.items() if name != "signing_key"},
        }


def _hold(folder: Path) -> None:
    """Be the only stand-in on this folder until the process ends: two would start every container twice."""
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise StateInUseError(f"another stand-in runs on {folder}") from None


def now_text() -> str:
    """The time as ARM writes it: ISO 8601, UTC."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
