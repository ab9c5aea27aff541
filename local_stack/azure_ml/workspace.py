"""One workspace: its identity, where its files lie, and what all its services share."""

import fcntl
import json
import os
import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt

from local_stack.azure_ml.store import Store
from local_stack.files import write_object
from local_stack.identity.tokens import AZURE_ML, Issuer, RefusedTokenError

TENANT = "adfs"  # with any other tenant MSAL first asks Microsoft's discovery host
CLOUD = "EdgetrainLocal"
TOKEN_SECONDS = 24 * 3600


class StateInUseError(Exception):
    """Another process serves this state."""


@dataclass(slots=True)
class Workspace:
    """State and identity. ``url`` is known once the server listens."""

    folder: Path
    identity: dict[str, str]
    store: Store
    url: str = ""
    ca_bundle: Path = Path()
    requests_seen: dict[str, int] = field(default_factory=dict)
    issuer: Issuer | None = None  # of tokens of managed identities, which are taken besides our own
    attach_seconds: float = 0.0  # for which a compute that was attached is Creating
    on_ended: Callable[[dict[str, Any]], None] = lambda _run: None
    """Called once with each run that has reached its last status."""

    @classmethod
    def open(cls, folder: Path) -> "Workspace":
        """Open the state in ``folder``, or make a new workspace with an id of its own: clients cache by it.

        Raises :class:`StateInUseError`.
        """
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _hold(folder)
        path = folder / "identity.json"
        if not path.exists():
            identity = {
                "workspace_id": str(uuid.uuid4()),
                "subscription_id": str(uuid.uuid4()),
                "resource_group": "edgetrain",
                "workspace": "edgetrain",
                "client_id": str(uuid.uuid4()),
                "client_secret": secrets.token_urlsafe(24),
                "signing_key": secrets.token_urlsafe(32),
                "faults_key": secrets.token_urlsafe(16),
            }
            write_object(path, identity)
        identity = json.loads(path.read_text(encoding="utf-8"))
        return cls(folder, identity, Store(folder / "workspace.sqlite"))

    @property
    def scope(self) -> str:
        """The workspace's ARM path."""
        who = self.identity
        return (
            f"/subscriptions/{who['subscription_id']}/resourceGroups/{who['resource_group']}"
            f"/providers/Microsoft.MachineLearningServices/workspaces/{who['workspace']}"
        )

    @property
    def blobs(self) -> Path:
        """Where uploaded files lie."""
        return self.folder / "blobs"

    def token(self, subject: str, *, run_id: str = "") -> str:
        """A bearer token; the SDK reads ``exp`` and ``tid``. With ``run_id`` it is good for what a training needs."""
        now = int(time.time())
        claims = {"sub": subject, "tid": TENANT, "iat": now, "nbf": now - 60, "exp": now + TOKEN_SECONDS}
        if run_id:
            claims["run"] = run_id
        return jwt.encode(claims, self.identity["signing_key"], algorithm="HS256")

    def claims(self, token: str) -> dict[str, Any] | None:
        """What a token says; None if we did not issue it or it is no longer good."""
        try:
            claims: dict[str, Any] = jwt.decode(token, self.identity["signing_key"], algorithms=["HS256"])
        except jwt.InvalidTokenError:
            return self._issued(token)
        return claims

    def _issued(self, token: str) -> dict[str, Any] | None:
        for resource in (self.url, AZURE_ML) if self.issuer else ():
            try:
                return self.issuer.check(token, resource, now=time.time()) if self.issuer else None
            except RefusedTokenError:
                continue
        return None

    def endpoints(self) -> dict[str, Any]:
        """What a client needs to know."""
        who = self.identity
        return {
            "url": self.url,
            "metadata_url": f"{self.url}/metadata/endpoints",
            "discovery_url": f"{self.url}/discovery",
            "cloud": CLOUD,
            "tenant_id": TENANT,
            "ca_bundle": str(self.ca_bundle),
            **{key: value for key, value in who.items() if key != "signing_key"},
        }


def _hold(folder: Path) -> None:
    """Be the only stand-in on this folder until the process ends: two would start everything twice."""
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise StateInUseError(f"another stand-in runs on {folder}") from None


def now_text(*, in_seconds: float = 0) -> str:
    """The time, now or later, as the services write it: ISO 8601, UTC, Z."""
    return (datetime.now(UTC) + timedelta(seconds=in_seconds)).isoformat().replace("+00:00", "Z")
