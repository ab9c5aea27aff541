"""The stand-in against the SDK's models, which are made from the published description: it invents no field."""

from typing import Any

import requests
from azure.mgmt.appcontainers import models

from tests.integration.azure_arm.conftest import Body
from tests.support.azure_arm import AzureArm

GROUP = "edgetrain"


def test_every_field_of_an_answer_is_one_that_the_sdk_knows(arm: AzureArm, app_body: Body) -> None:
    name, sdk = "described", arm.sdk()
    image = arm.registry.push("models/x", version=1)
    sdk.container_apps.begin_create_or_update(GROUP, name, app_body(name, image, "v1")).result()
    replicas = f"{name}/revisions/{name}--v1/replicas"
    for path, model in (
        (name, models.ContainerApp),
        (f"{name}/revisions/{name}--v1", models.Revision),
        (replicas, models.ReplicaCollection),
    ):
        answer = get(arm, path)
        assert not list(unknown(answer, model)), answer
    sdk.container_apps.begin_delete(GROUP, name).result()


def get(arm: AzureArm, path: str) -> dict[str, Any]:
    where = f"{arm.endpoints['url']}/subscriptions/{arm.endpoints['subscription_id']}/resourceGroups/{GROUP}/providers"
    reply = requests.get(
        f"{where}/Microsoft.App/containerApps/{path}",
        params={"api-version": "2026-07-01"},
        headers={"Authorization": f"Bearer {arm.token()}"},
        verify=arm.endpoints["ca_bundle"],
        timeout=30,
    )
    reply.raise_for_status()
    return dict(reply.json())


def unknown(answer: Any, model: Any, where: str = "") -> Any:
    """Fields that the model does not have, at any depth; what a model says of a field is its annotation."""
    instance = model(answer)
    fields = {field._rest_name: field for field in type(instance)._attr_to_rest_field.values()}
    for key, value in answer.items():
        if key not in fields:
            yield f"{where}/{key}"
            continue
        inner = getattr(instance, next(n for n, f in type(instance)._attr_to_rest_field.items() if f._rest_name == key))
        for each, shown in zip(*(pair if isinstance(pair, list) else [pair] for pair in (inner, value)), strict=True):
            if hasattr(type(each), "_attr_to_rest_field"):
                yield from unknown(shown, type(each), f"{where}/{key}")
