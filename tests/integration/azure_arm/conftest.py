import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.azure_arm import AzureArm, running_azure_arm
from tests.support.podman import missing_podman

Body = Callable[..., dict[str, Any]]


@pytest.fixture(scope="package")
def arm() -> Iterator[AzureArm]:
    if why := missing_podman("haproxy", "docker-registry"):
        pytest.skip(why)
    folder = Path(tempfile.mkdtemp(prefix="aca-"))
    try:
        with running_azure_arm(folder) as running:
            yield running
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="package")
def app_body(arm: AzureArm) -> Body:
    """The body of an app: ``template`` for a revision, ``traffic`` by suffix."""

    def make(name: str, image: str, suffix: str, traffic: dict[str, int] | None = None) -> dict[str, Any]:
        weights = traffic if traffic is not None else {suffix: 100}
        return {
            "location": "local",
            "properties": {
                "environmentId": arm.endpoints["environment_id"],
                "configuration": {
                    "activeRevisionsMode": "Multiple",
                    "ingress": {
                        "external": True,
                        "targetPort": 5001,
                        "traffic": [
                            {"revisionName": f"{name}--{key}", "weight": part} for key, part in weights.items()
                        ],
                    },
                    "registries": [
                        {
                            "server": arm.registry.address,
                            "username": arm.registry.username,
                            "passwordSecretRef": "pull",
                        }
                    ],
                    "secrets": [{"name": "pull", "value": arm.registry.password}],
                },
                "template": template(image, suffix),
            },
        }

    return make


def template(image: str, suffix: str) -> dict[str, Any]:
    return {
        "revisionSuffix": suffix,
        "containers": [
            {
                "name": "model",
                "image": image,
                "resources": {"cpu": 0.25, "memory": "0.5Gi"},
                "probes": [{"type": "Readiness", "httpGet": {"path": "/", "port": 5001}}],
            }
        ],
        "scale": {"minReplicas": 1, "maxReplicas": 1},
    }
