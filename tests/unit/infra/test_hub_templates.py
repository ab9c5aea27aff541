"""ARM templates of a hub: versions that it knows, parameters that are used, no secrets."""

import json
from typing import Any

import pytest

from infra.checks import hub
from tests.unit.infra.conftest import Planted

SCHEMA = "https://schema.management.azure.com/schemas/2015-01-01/deploymentTemplate.json#"


def template(**parts: Any) -> dict[str, Any]:
    """A template with a network, whose only parameter is used."""
    network = {
        "type": "Microsoft.Network/virtualNetworks",
        "apiVersion": "2018-11-01",
        "name": "[parameters('vmName')]",
        "properties": {},
    }
    return {"$schema": SCHEMA, "parameters": {"vmName": {"type": "string"}}, "resources": [network], **parts}


def resource(kind: str, version: str, **parts: Any) -> dict[str, Any]:
    return {"type": kind, "apiVersion": version, "name": "[parameters('vmName')]", **parts}


def found(planted: Planted, content: dict[str, Any]) -> list[str]:
    planted.write("hub/planted.json", json.dumps(content))
    return [str(each) for each in hub.check(planted.folder / "hub" / "planted.json", "hub/planted.json")]


def test_a_template_with_versions_of_the_profile_is_right(planted: Planted) -> None:
    disk = resource("Microsoft.Compute/disks", "2019-07-01")
    vm = resource("Microsoft.Compute/virtualMachines", "2020-06-01", resources=[disk])
    storage = resource("Microsoft.Storage/storageAccounts", "2019-06-01")

    assert found(planted, template(resources=[vm, storage])) == []


@pytest.mark.parametrize(
    ("kind", "version"),
    [
        ("Microsoft.Compute/virtualMachines", "2024-07-01"),
        ("Microsoft.Compute/disks", "2020-06-01"),
        ("Microsoft.Storage/storageAccounts", "2025-01-01"),
        ("Microsoft.Network/publicIPAddresses", "2018-11-02"),
        ("Microsoft.Storage/storageAccounts", ""),
    ],
)
def test_a_version_that_no_hub_knows_is_named(kind: str, version: str, planted: Planted) -> None:
    inner = resource(kind, version)

    text = found(planted, template(resources=[resource("Microsoft.KeyVault/vaults", "2019-09-01", resources=[inner])]))

    assert len(text) == 1
    assert f"{kind}@{version or 'without version'}: a hub's profile has" in text[0]


def test_a_type_that_no_hub_has_is_named(planted: Planted) -> None:
    (text,) = found(planted, template(resources=[resource("Microsoft.App/containerApps", "2025-01-01")]))

    assert "a hub knows no Microsoft.App/containerApps" in text


def test_parameters_and_variables_lead_somewhere_and_are_used(planted: Planted) -> None:
    content = template(
        parameters={"vmName": {"type": "string"}, "spare": {"type": "string"}},
        variables={"unused": 1},
        outputs={"one": {"type": "string", "value": "[variables('missing')]"}},
    )

    assert found(planted, content) == [
        "hub/planted.json: nothing uses parameters('spare'); remove it",
        "hub/planted.json: variables('missing') is used and not there; add it",
        "hub/planted.json: nothing uses variables('unused'); remove it",
    ]


@pytest.mark.parametrize(
    ("parts", "what"),
    [
        ({"parameters": {"vmName": {"type": "string"}, "adminPassword": {"type": "string"}}}, "make it a securestring"),
        (
            {"parameters": {"vmName": {"type": "securestring", "defaultValue": "canary-of-a-secret"}}},
            "has a secret as its default",
        ),
        (
            {"outputs": {"key": {"type": "string", "value": "[listKeys('x', '2019-06-01').keys[0].value]"}}},
            "an output has a key in it",
        ),
    ],
)
def test_secrets_are_named(parts: dict[str, Any], what: str, planted: Planted) -> None:
    texts = found(planted, template(**parts))

    assert any(what in each for each in texts), texts
    assert not any("canary-of-a-secret" in each for each in texts)


def test_what_is_no_json_is_named_by_the_whole_check(planted: Planted) -> None:
    planted.write("hub/broken.json", "{")

    assert any(each.where == "hub/broken.json" and "is no JSON" in each.what for each in planted.found())
