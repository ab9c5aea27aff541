"""One workspace: its identity, where its files lie, and what all its services share."""

import json
import secrets
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt

from local_stack.azure_ml.store import Store
from local_stack.files import write_object

TENANT = "adfs"  # with any other tenant MSAL first asks Microsoft's discovery host
CLOUD = "EdgetrainLocal"
TOKEN_SECONDS = 24 * 3600


@dataclass(slots=True)
class Workspace:
    """State and identity. ``url`` is known once the server listens."""

    folder: Path
    identity: dict[str, str]
    store: Store
    url: str = ""
    ca_bundle: Path = Path()
    requests_seen: dict[str, int] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: Path) -> "Workspace":
        """Open the state in ``folder``, or make a new workspace with an id of its own: clients cache by it."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
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
        return cls(folder, json.loads(path.read_text()), Store(folder / "workspace.sqlite"))

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

    def token(self, subject: str) -> str:
        """A bearer token; the SDK reads ``exp`` and ``tid``."""
        now = int(time.time())
        claims = {"sub": subject, "tid": TENANT, "iat": now, "nbf": now - 60, "exp": now + TOKEN_SECONDS}
        return jwt.encode(claims, self.identity["signing_key"], algorithm="HS256")

    def is_token(self, text: str) -> bool:
        """Whether we issued it and it is still good."""
        try:
            jwt.decode(text, self.identity["signing_key"], algorithms=["HS256"])
        except jwt.InvalidTokenError:
            return False
        return True

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


def now_text() -> str:
    """The time as the services write it: ISO 8601, UTC, Z."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
