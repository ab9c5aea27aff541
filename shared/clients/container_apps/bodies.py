"""ARM bodies of a container app, written and read. Pure; shapes of ``Microsoft.App/containerApps``, 2026-07-01."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from shared.clients.container_apps.names import (
    MODEL_VARIABLE,
    PLAN_TAG,
    REVISION_TAG,
    RUN_VARIABLE,
    SERVED_TAG,
    VERSION_VARIABLE,
    Size,
    planned_weights,
    size_for,
    suffix_of,
)
from shared.messages.serving import PlannedRelease, ServingPlan
from shared.training_code.scoring_images import SCORING_PORT

CONTAINER: Final = "model"
_SECRET: Final = "pull"  # noqa: S105 - its name
_HOOKS: Final = "gunicorn-hooks"
_HOOKS_FOLDER: Final = "/etc/edgetrain"
_HOOKS_FILE: Final = "gunicorn_hooks.py"
# Workers and threads of the scoring server, as on a VM; an image without gunicorn does not read it.
_SERVER: Final = {
    "WORKER_COUNT": "2",
    "GUNICORN_CMD_ARGS": f"--threads 2 --config {_HOOKS_FOLDER}/{_HOOKS_FILE}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What every app of a target has in common. ``identity``: ARM id of the identity that pulls."""

    location: str
    environment_id: str
    registry: str
    username: str = ""
    password: str = field(default="", repr=False)
    identity: str = ""
    external: bool = True
    replicas: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A revision, as far as we read it. ``app``: the app's name; ``weight``: percent of the app's traffic."""

    app: str
    name: str
    run_id: str
    model: str
    version: str
    image: str
    size: Size
    active: bool
    weight: int
    provisioning: str
    running: str
    health: str
    error: str
    address: str
    created: datetime | None

    @property
    def suffix(self) -> str:
        """What its name has behind the app's."""
        return self.name.removeprefix(f"{self.app}--")

    @property
    def runs(self) -> bool:
        """Whether the service calls it running and healthy (``Running``, ``RunningAtMaxScale``)."""
        well = self.provisioning == "Provisioned" and self.running.startswith("Running") and self.health == "Healthy"
        return self.active and well


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """An app, as far as we read it. ``weights`` by name of revision, as they stand in its traffic."""

    name: str
    tags: dict[str, str]
    mode: str
    address: str
    weights: dict[str, int]
    provisioning: str

    @property
    def revision(self) -> str:
        """The target's revision: which plan was applied last."""
        return self.tags.get(REVISION_TAG, "")

    @property
    def planned(self) -> dict[str, int]:
        """Weights by suffix of the plan that was applied last."""
        return planned_weights(self.tags.get(PLAN_TAG, ""))

    @property
    def served(self) -> str:
        """Suffixes of the revisions that had all of the traffic, newest first, with spaces between them."""
        return self.tags.get(SERVED_TAG, "")


def new_app(name: str, first: PlannedRelease, around: Surroundings, tags: Mapping[str, str]) -> dict[str, Any]:
    """The body that makes an app with its first revision.

    All traffic is named for it, since no app can be made whose traffic goes nowhere.
    """
    body: dict[str, Any] = {
        "location": around.location,
        "tags": dict(tags),
        "properties": {
            "environmentId": around.environment_id,
            "configuration": {
                "activeRevisionsMode": "Multiple",
                "ingress": {
                    "external": around.external,
                    "targetPort": SCORING_PORT,
                    "transport": "auto",
                    "traffic": [{"revisionName": f"{name}--{suffix_of(first)}", "weight": 100}],
                },
                **_pulling(around),
            },
            "template": _template(first, around),
        },
    }
    if around.identity:
        body["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {around.identity: {}}}
    return body


def new_revision(release: PlannedRelease, around: Surroundings, tags: Mapping[str, str]) -> dict[str, Any]:
    """The patch that adds a release's revision, without traffic: other revisions are named there."""
    configuration = {"activeRevisionsMode": "Multiple", **_pulling(around)}
    return {
        "tags": dict(tags),
        "properties": {"configuration": configuration, "template": _template(release, around)},
    }


def new_traffic(name: str, plan: ServingPlan, tags: Mapping[str, str]) -> dict[str, Any]:
    """The patch that gives the plan's weights; a revision without weight is not named."""
    traffic = [
        {"revisionName": f"{name}--{suffix_of(release)}", "weight": release.weight}
        for release in plan.releases
        if release.weight
    ]
    ingress = {"ingress": {"traffic": traffic}} if traffic else {}
    return {"tags": dict(tags), "properties": {"configuration": {"activeRevisionsMode": "Multiple", **ingress}}}


def _pulling(around: Surroundings) -> dict[str, Any]:
    """How the image is pulled, and the secrets of the app: a password, and a file that is mounted from one."""
    hooks = {"name": _HOOKS, "value": Path(__file__).with_name(_HOOKS_FILE).read_text(encoding="utf-8")}
    if around.username:
        entry = {"server": around.registry, "username": around.username, "passwordSecretRef": _SECRET}
        return {"registries": [entry], "secrets": [{"name": _SECRET, "value": around.password}, hooks]}
    return {"registries": [{"server": around.registry, "identity": around.identity}], "secrets": [hooks]}


def _template(release: PlannedRelease, around: Surroundings) -> dict[str, Any]:
    size = size_for(release.resources)
    probe = {"httpGet": {"path": "/", "port": SCORING_PORT}, "periodSeconds": 5, "timeoutSeconds": 5}
    variables = {
        **_SERVER,
        RUN_VARIABLE: release.run_id,
        MODEL_VARIABLE: release.model,
        VERSION_VARIABLE: release.version,
    }
    return {
        "revisionSuffix": suffix_of(release),
        "containers": [
            {
                "name": CONTAINER,
                "image": release.image,
                "env": [{"name": name, "value": value} for name, value in variables.items()],
                "resources": {"cpu": size.cpu, "memory": size.memory},
                "probes": [{"type": "Readiness", **probe}],
                "volumeMounts": [{"volumeName": _HOOKS, "mountPath": _HOOKS_FOLDER}],
            }
        ],
        "volumes": [
            {
                "name": _HOOKS,
                "storageType": "Secret",
                "secrets": [{"secretRef": _HOOKS, "path": _HOOKS_FILE}],
            }
        ],
        "scale": {"minReplicas": around.replicas, "maxReplicas": around.replicas},
    }


def read_app(body: Mapping[str, Any]) -> App:
    """The app in ARM's JSON; raises ``ValueError`` when it is none."""
    try:
        properties = body["properties"]
        configuration = properties.get("configuration") or {}
        ingress = configuration.get("ingress") or {}
        weights: dict[str, int] = {}
        for entry in ingress.get("traffic") or ():
            # Somebody else's word; never ours, but it has to be read.
            revision = entry.get("revisionName") or properties.get("latestRevisionName") or ""
            weights[revision] = weights.get(revision, 0) + int(entry.get("weight") or 0)
        return App(
            name=str(body["name"]),
            tags={str(key): str(value) for key, value in (body.get("tags") or {}).items()},
            mode=str(configuration.get("activeRevisionsMode") or ""),
            address=str(ingress.get("fqdn") or ""),
            weights={revision: weight for revision, weight in weights.items() if weight},
            provisioning=str(properties.get("provisioningState") or ""),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a container app: {error!r}") from error


def read_revision(app: App, body: Mapping[str, Any]) -> Revision:
    """The revision in ARM's JSON; raises ``ValueError`` when it is none.

    Its weight is read from the app's traffic, where those of deactivated revisions stay too.
    """
    try:
        properties = body["properties"]
        containers = (properties.get("template") or {}).get("containers") or [{}]
        variables = {entry.get("name"): entry.get("value") for entry in containers[0].get("env") or ()}
        created = properties.get("createdTime")
        return Revision(
            app=app.name,
            name=str(body["name"]),
            run_id=str(variables.get(RUN_VARIABLE) or ""),
            image=str(containers[0].get("image") or ""),
            model=str(variables.get(MODEL_VARIABLE) or ""),
            version=str(variables.get(VERSION_VARIABLE) or ""),
            size=Size(round(4 * float((containers[0].get("resources") or {}).get("cpu") or 0))),
            active=bool(properties.get("active")),
            weight=app.weights.get(str(body["name"]), 0),
            provisioning=str(properties.get("provisioningState") or ""),
            running=str(properties.get("runningState") or ""),
            health=str(properties.get("healthState") or ""),
            error=str(properties.get("provisioningError") or ""),
            address=str(properties.get("fqdn") or ""),
            created=datetime.fromisoformat(created) if created else None,
        )
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(f"not a revision: {error!r}") from error
