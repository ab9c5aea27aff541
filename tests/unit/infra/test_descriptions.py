"""Azure's descriptions of its types: how they are made, and that those which lie here are whole."""

import json
from typing import Any

import pytest

from infra.checks import bodies
from infra.checks.azure_types import FOLDER, OWN, AzureType, file_of, known
from infra.checks.bicep import Resource
from infra.checks.describe import compact, written

FILES = [*FOLDER.glob("*.json"), *OWN.glob("*.json")]


def property_of(name: str, kind: str, flags: str = "") -> dict[str, str]:
    return {"name": name, "type": kind, "flags": flags, "description": "left out"}


ANSWER: list[dict[str, Any]] = [
    {
        "$type": "Resource",
        "name": "Microsoft.Example/things@2026-01-01",
        "bodyType": {
            "$type": "Object",
            "name": "Microsoft.Example/things",
            "properties": [
                property_of("id", "string", "ReadOnly, DeployTimeConstant"),
                property_of("name", "string", "Required, DeployTimeConstant"),
                property_of("properties", "ThingProperties"),
                property_of("systemData", "SystemData", "ReadOnly"),
            ],
        },
    },
    {
        "$type": "Object",
        "name": "ThingProperties",
        "properties": [property_of("parts", "Part[]", "Required"), property_of("enabled", "bool")],
    },
    {
        "$type": "DiscriminatedObject",
        "name": "Part",
        "discriminator": "kind",
        "baseProperties": [property_of("label", "string")],
        "elements": [
            {"$type": "Object", "name": "Wheel", "properties": [property_of("kind", "Wheel", "Required")]},
            {
                "$type": "Object",
                "name": "Axle",
                "properties": [property_of("kind", "Axle", "Required"), property_of("length", "int", "Required")],
            },
        ],
    },
    {"$type": "Object", "name": "SystemData", "properties": [property_of("createdAt", "string")]},
    {"$type": "ResourceInstanceFunction", "name": "listKeys"},
]


def found(properties: dict[str, Any], **body: Any) -> list[str]:
    raw = json.loads(written(compact("Microsoft.Example/things", ANSWER)))
    described = AzureType(raw["type"], raw["api_version"], raw["body"], raw["objects"])
    whole = {"name": "x", "properties": properties, **body}
    resource = Resource("a.bicep", "thing", "Microsoft.Example/things", "2026-01-01", whole)
    return [each.what for each in bodies.check(resource, frozenset({"location"}), lambda _: described)]


def test_what_a_body_cannot_use_is_left_out() -> None:
    kept = compact("Microsoft.Example/things", ANSWER)

    assert kept["api_version"] == "2026-01-01"
    assert sorted(kept["objects"]) == ["Part", "ThingProperties"]
    assert "left out" not in written(kept)


def test_a_body_that_fits_has_no_findings() -> None:
    parts = [{"kind": "Wheel", "label": "front"}, {"kind": "Axle", "length": 3}]

    assert found({"parts": parts, "enabled": True}) == []


@pytest.mark.parametrize(
    ("properties", "what"),
    [
        ({"parts": [{"kind": "Axle"}]}, ["properties.parts[0].length: is required; add it"]),
        ({"parts": [{"kind": "Wing"}]}, ["properties.parts[0].kind: 'Wing' is none of Axle, Wheel"]),
        ({"parts": [], "enabled": 1}, ["properties.enabled: must be bool, and is 1"]),
        ({"parts": [], "Enabled": True}, ["properties.Enabled: there is no such property; there are enabled, parts"]),
        ({}, ["properties.parts: is required; add it"]),
    ],
)
def test_what_does_not_fit_is_named_by_its_path(properties: dict[str, Any], what: list[str]) -> None:
    assert found(properties) == what


def test_what_azure_sets_itself_is_not_set() -> None:
    assert found({"parts": []}, id="x") == ["id: is read-only; leave it out"]


def test_both_branches_of_a_condition_are_looked_at() -> None:
    chosen = {
        "operator": {
            "type": "conditional",
            "operands": {"condition": "big", "true_value": {"parts": []}, "false_value": {"part": []}},
        }
    }

    assert found(chosen) == [
        "properties.part: there is no such property; there are enabled, parts",
        "properties.parts: is required; add it",
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_description_is_whole(path: Any) -> None:
    raw = json.loads(path.read_text(encoding="utf-8"))

    assert path.name == file_of(raw["type"])
    assert known(raw["type"]) is not None
    assert "name" in raw["body"].get("properties", {}) or raw["body"].get("elements")
    assert (path.parent == OWN) == ("after" in raw), "who wrote it by hand says after what"
