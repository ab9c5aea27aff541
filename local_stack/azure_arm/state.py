"""What the stand-in knows of apps and revisions: plain objects, kept in one file between two starts."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from local_stack.files import read_object, write_object


@dataclass(slots=True)
class Revision:
    """One revision. ``port``: its own address, ``container_port``: what its container publishes, both on loopback.

    ``counted``: requests by class of status, from before HAProxy's last reload. ``healthy`` and ``seen``: what the
    balancer's check said last, and whether it ever said anything.
    """

    name: str
    template: dict[str, Any]
    target_port: int
    created: str
    port: int
    container_port: int
    active: bool = True
    provisioning: str = "Provisioning"
    error: str = ""
    healthy: bool = False
    seen: bool = False
    counted: dict[str, int] = field(default_factory=dict)

    @property
    def container(self) -> str:
        """The name of its container in the engine."""
        return f"aca-{self.name}"


@dataclass(slots=True)
class App:
    """One container app. ``body`` is what clients wrote, without secrets; ``operation`` the one under way, if any."""

    name: str
    body: dict[str, Any]
    port: int
    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    revisions: dict[str, Revision] = field(default_factory=dict)
    latest: str = ""
    provisioning: str = "Succeeded"
    operation: str = ""

    @property
    def configuration(self) -> dict[str, Any]:
        """The part of the body that makes no revision."""
        found: dict[str, Any] = self.body["properties"].setdefault("configuration", {})
        return found

    @property
    def traffic(self) -> list[dict[str, Any]]:
        """As written, oddities included."""
        return list((self.configuration.get("ingress") or {}).get("traffic") or ())

    def weights(self) -> dict[str, int]:
        """Percent by name of revision; ``latestRevision`` is resolved."""
        found: dict[str, int] = {}
        for entry in self.traffic:
            name = entry.get("revisionName") or self.latest
            found[name] = found.get(name, 0) + int(entry.get("weight", 0))
        return {name: weight for name, weight in found.items() if weight}


@dataclass(slots=True)
class Operation:
    """A long-running operation, as a client polls it."""

    status: str = "InProgress"
    code: str = ""
    message: str = ""


@dataclass(slots=True)
class State:
    """All of it."""

    file: Path
    apps: dict[str, App] = field(default_factory=dict)
    operations: dict[str, Operation] = field(default_factory=dict)

    @classmethod
    def load(cls, file: Path) -> "State":
        """What was saved; nothing at the first start."""
        raw = read_object(file)
        apps = {name: _app(value) for name, value in raw.get("apps", {}).items()}
        return cls(file, apps, {key: Operation(**value) for key, value in raw.get("operations", {}).items()})

    def save(self) -> None:
        """Write everything down."""
        apps = {name: asdict(app) for name, app in self.apps.items()}
        newest = list(self.operations.items())[-200:]
        write_object(self.file, {"apps": apps, "operations": {key: asdict(value) for key, value in newest}})

    def ports(self) -> set[int]:
        """Every port that is taken by an app or a revision."""
        revisions = [revision for app in self.apps.values() for revision in app.revisions.values()]
        return {app.port for app in self.apps.values()} | {
            port for revision in revisions for port in (revision.port, revision.container_port)
        }


def _app(raw: dict[str, Any]) -> App:
    revisions = {name: Revision(**value) for name, value in raw.pop("revisions").items()}
    return App(**raw, revisions=revisions)
