"""The hub's template: versions that a hub knows, names that resolve, nothing that comes in unless it is asked for."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.hub.custom_data import VmPlan
from shared.settings import SshHost

HUB = Path(__file__).resolve().parents[3] / "infra" / "hub"
VERSIONS = {
    "Microsoft.Compute/virtualMachines": "2020-06-01",
    "Microsoft.Network/networkInterfaces": "2018-11-01",
    "Microsoft.Network/networkSecurityGroups": "2018-11-01",
    "Microsoft.Network/publicIPAddresses": "2018-11-01",
    "Microsoft.Network/virtualNetworks": "2018-11-01",
    "Microsoft.Storage/storageAccounts": "2019-06-01",
}
"""Profile 2020-09-01-hybrid."""


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    read: dict[str, Any] = json.loads((HUB / "azuredeploy.json").read_text())
    return read


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts(each)


def test_every_version_is_one_of_the_hubs_profile(template: dict[str, Any]) -> None:
    assert {each["type"]: each["apiVersion"] for each in template["resources"]} == VERSIONS
    asked = re.findall(r"'(\d{4}-\d{2}-\d{2}[^']*)'", json.dumps(template))
    assert set(asked) <= set(VERSIONS.values())


def test_every_name_in_an_expression_is_declared_and_every_declared_one_is_used(template: dict[str, Any]) -> None:
    text = json.dumps({key: value for key, value in template.items() if key != "parameters"})
    text += json.dumps([each.get("defaultValue") for each in template["parameters"].values()])
    for kind in ("parameters", "variables"):
        assert set(re.findall(rf"{kind}\('(\w+)'\)", text)) == set(template[kind])
    for each in texts(template["resources"]):
        if each.startswith("["):
            assert each.count("(") == each.count(")"), each
            assert each.count("'") % 2 == 0, each


def test_what_depends_on_a_resource_names_one_that_is_there(template: dict[str, Any]) -> None:
    made = {(each["type"], each["name"].strip("[]")) for each in template["resources"]}
    for resource in template["resources"]:
        for each in resource.get("dependsOn", []):
            found = re.fullmatch(r"\[resourceId\('([^']+)', (.+)\)\]", each)
            assert found is not None, each
            assert (found[1], found[2]) in made


def test_parameters_are_described_and_hold_no_secret(template: dict[str, Any]) -> None:
    for name, parameter in template["parameters"].items():
        assert len(parameter["metadata"]["description"]) > 20, name
        if parameter["type"] == "securestring":
            assert "defaultValue" not in parameter
    assert template["parameters"]["cloudInit"]["type"] == "securestring"
    assert not any("password" in name.lower() for name in template["parameters"])


def test_nothing_comes_in_unless_a_range_is_named(template: dict[str, Any]) -> None:
    parameters, variables = template["parameters"], template["variables"]
    assert parameters["sshSourceRange"]["defaultValue"] == ""
    assert parameters["clientRange"]["defaultValue"] == ""
    allowed = [
        rule["properties"]
        for name in ("ruleForSsh", "ruleForClients", "ruleForTheRest")
        for rule in variables[name]
        if rule["properties"]["access"] == "Allow"
    ]
    assert [(each["sourceAddressPrefix"], each["destinationPortRange"]) for each in allowed] == [
        ("[parameters('sshSourceRange')]", "22"),
        ("[parameters('clientRange')]", "20000-29999"),
    ]
    [last] = variables["ruleForTheRest"]
    assert (last["properties"]["access"], last["properties"]["priority"]) == ("Deny", 4096)


def test_people_log_in_with_keys_only(template: dict[str, Any]) -> None:
    [machine] = [each for each in template["resources"] if each["type"].endswith("virtualMachines")]
    profile = machine["properties"]["osProfile"]
    assert profile["linuxConfiguration"]["disablePasswordAuthentication"] is True
    assert "adminPassword" not in profile
    assert machine["properties"]["storageProfile"]["dataDisks"][0]["lun"] == 0  # where the VM's files look for it
    assert VmPlan.__dataclass_fields__["data_disk"].default == "/dev/disk/azure/scsi1/lun0"


def test_its_outputs_are_what_the_settings_of_a_compute_need(template: dict[str, Any]) -> None:
    outputs = template["outputs"]
    fields = VmPlan.__dataclass_fields__
    assert outputs["trainingUser"]["value"] == fields["training_user"].default
    assert outputs["servingUser"]["value"] == fields["serving_user"].default
    assert outputs["trainingHome"]["value"] == f"/srv/edgetrain/{outputs['trainingUser']['value']}"
    assert outputs["sshPort"]["value"] == SshHost.model_fields["port"].default
    assert {"vmName", "address", "storageAccountName", "blobEndpoint"} <= outputs.keys()


def test_the_example_names_parameters_of_the_template(template: dict[str, Any]) -> None:
    example = json.loads((HUB / "azuredeploy.parameters.example.json").read_text())["parameters"]
    assert example.keys() <= template["parameters"].keys()
    needed = {name for name, each in template["parameters"].items() if "defaultValue" not in each}
    assert needed - example.keys() == {"cloudInit"}  # a file, given beside it
