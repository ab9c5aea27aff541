"""What Container Apps accept and refuse, as pure functions on ARM's JSON bodies."""

import copy
import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from local_stack.azure_ml.answers import ServiceError

_APP_NAME: Final = re.compile(r"[a-z](?:[a-z0-9]|-(?!-)){0,30}[a-z0-9]")
_SUFFIX: Final = re.compile(r"[a-z0-9](?:[a-z0-9]|-(?!-))*[a-z0-9]")
_LONGEST_REVISION: Final = 54
_PAIRS: Final = {quarter / 4: quarter / 2 for quarter in range(1, 17)}
"""Cores to GiB that the consumption plan sells: 0.25 with 0.5 up to 4 with 8."""
_GIB: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)Gi")
_READ_ONLY: Final = (
    "provisioningState",
    "runningStatus",
    "latestRevisionName",
    "latestReadyRevisionName",
    "latestRevisionFqdn",
    "eventStreamEndpoint",
    "outboundIpAddresses",
    "customDomainVerificationId",
)


def merged(old: Any, patch: Any) -> Any:
    """JSON merge patch (RFC 7396): objects merge, ``null`` removes, anything else replaces, lists as a whole."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def writable(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body without what only the service may set."""
    kept: dict[str, Any] = {
        key: value for key, value in body.items() if key not in {"id", "name", "type", "systemData"}
    }
    properties = dict(kept.get("properties") or {})
    for name in _READ_ONLY:
        properties.pop(name, None)
    ingress = (properties.get("configuration") or {}).get("ingress")
    if isinstance(ingress, dict):
        configuration = dict(properties["configuration"])
        configuration["ingress"] = {key: value for key, value in ingress.items() if key != "fqdn"}
        properties["configuration"] = configuration
    return kept | {"properties": properties}


def check_name(name: str) -> None:
    """Refuse a name that no app may have."""
    if not _APP_NAME.fullmatch(name):
        raise _refused("ContainerAppInvalidName", f"Invalid ContainerApp name '{name}'.")


def check_app(body: Mapping[str, Any], environment_id: str) -> None:
    """Refuse an app that the service would refuse."""
    if not body.get("location"):
        raise _refused("LocationRequired", "The location property is required for this definition.")
    properties = body["properties"]
    environment = properties.get("environmentId") or properties.get("managedEnvironmentId") or ""
    if environment.lower() != environment_id.lower():
        raise _refused("ManagedEnvironmentNotFound", f"The environment '{environment}' does not exist.")
    containers = (properties.get("template") or {}).get("containers") or []
    if len(containers) != 1:
        raise _refused("ContainerAppContainersRequired", "this stand-in runs apps of exactly one container")
    container = containers[0]
    if not container.get("image") or not container.get("name"):
        raise _refused("ContainerAppImageRequired", "Container image and name are required.")
    resources_of(container)
    _check_secrets(properties.get("configuration") or {}, properties["template"].get("volumes") or ())
    ingress = (properties.get("configuration") or {}).get("ingress") or {}
    if not isinstance(ingress.get("targetPort"), int):
        raise _refused("InvalidIngress", "this stand-in runs apps with an ingress that names its targetPort")


def resources_of(container: Mapping[str, Any]) -> tuple[float, float]:
    """Cores and GiB of a container; refuses pairs that are not sold."""
    resources = container.get("resources") or {"cpu": 0.5, "memory": "1Gi"}
    found = _GIB.fullmatch(str(resources.get("memory")))
    cpu, memory = float(resources.get("cpu") or 0), float(found[1]) if found else 0.0
    if _PAIRS.get(cpu) != memory:
        sold = "; ".join(f"[cpu: {cores}, memory: {gib}Gi]" for cores, gib in _PAIRS.items())
        raise _refused(
            "ContainerAppInvalidResourceTotal",
            f"The total requested CPU and memory resources for this application (CPU: {cpu}, memory: {memory}) is "
            "invalid. Total CPU and memory for all containers defined in a Container App must add up to one of the "
            f"following CPU - Memory combinations: {sold}",
        )
    return cpu, memory


def _check_secrets(configuration: Mapping[str, Any], volumes: Iterable[Mapping[str, Any]]) -> None:
    names = {secret.get("name") for secret in configuration.get("secrets") or ()}
    asked = [registry.get("passwordSecretRef") for registry in configuration.get("registries") or ()]
    for volume in volumes:
        if volume.get("storageType") != "Secret":
            raise _refused("InvalidVolume", "this stand-in has volumes of storageType Secret only")
        asked += [item.get("secretRef") for item in volume.get("secrets") or ()]
    for secret in asked:
        if secret and secret not in names:
            raise _refused("ContainerAppSecretRefNotFound", f"SecretRef '{secret}' not found.")


def revision_name(app: str, template: Mapping[str, Any]) -> str:
    """The name of the revision that this template makes."""
    suffix = template.get("revisionSuffix")
    if not suffix:
        suffix = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:7]
    name = f"{app}--{suffix}"
    if not _SUFFIX.fullmatch(suffix) or len(name) > _LONGEST_REVISION:
        raise _refused("ContainerAppInvalidRevisionSuffix", f"Invalid revision suffix '{suffix}'.")
    return name


def check_traffic(traffic: object, revisions: Collection[str]) -> None:
    """Refuse weights that do not sum to 100 or name what is not there.

    That a revision is active is not asked: the service accepts weight on a deactivated one (azure-container-apps#1345).
    """
    entries = traffic if isinstance(traffic, list) else []
    weights = [entry.get("weight", 0) for entry in entries]
    if not all(isinstance(weight, int) and 0 <= weight <= 100 for weight in weights) or sum(weights) != 100:
        total = sum(weight for weight in weights if isinstance(weight, int))
        raise _refused("ContainerAppInvalidTrafficWeight", f"The traffic weights must sum to 100; they sum to {total}.")
    for entry in entries:
        named, latest = entry.get("revisionName"), entry.get("latestRevision", False)
        if bool(named) == bool(latest):
            raise _refused("ContainerAppInvalidTraffic", "Traffic needs either revisionName or latestRevision.")
        if named and named not in revisions:
            raise _refused("RevisionNotFound", f"Traffic names revision '{named}', which does not exist.")


def _refused(code: str, message: str) -> ServiceError:
    return ServiceError(400, code, message)
