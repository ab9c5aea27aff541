"""What is made of checkov's report: what it did not see counts as much as what it found."""

from typing import Any

from infra.checks.policy import ACCEPTED, ON_A_HUB, check

ROWS = [
    {"file": file, "resource": "x", "rule": rule, "what": "Ensure"}
    for file, excuses in (("main.bicep", ACCEPTED), ("hub/a.json", ON_A_HUB))
    for rule in excuses
]


def report(**parts: Any) -> dict[str, Any]:
    return {"failed": ROWS, "seen": ["main.bicep", "main.bicep: group"], **parts}


def test_rules_with_an_excuse_are_no_findings() -> None:
    assert list(check(report(), {"main.bicep", "main.bicep: group"})) == []


def test_a_file_and_a_resource_that_were_not_seen_are_named() -> None:
    wanted = {"main.bicep", "modules/app.bicep", "main.bicep: group", "main.bicep: other"}

    assert [each.where for each in check(report(), wanted)] == ["main.bicep: other", "modules/app.bicep"]


def test_a_rule_without_an_excuse_is_named() -> None:
    new = {"file": "modules/app.bicep", "resource": "app", "rule": "CKV_AZURE_4711", "what": "Ensure that"}

    (found,) = check(report(failed=[*ROWS, new]), set())

    assert found.where == "modules/app.bicep: app"
    assert "CKV_AZURE_4711: Ensure that" in found.what


def test_a_hub_has_excuses_of_its_own() -> None:
    row = {"file": "hub/a.json", "resource": "x", "rule": "CKV_AZURE_17", "what": "y"}

    assert "CKV_AZURE_17" in ACCEPTED
    assert [each.what[:12] for each in check(report(failed=[*ROWS, row]), set())] == ["CKV_AZURE_17"]


def test_an_excuse_that_nobody_needs_is_named() -> None:
    (found,) = check(report(failed=ROWS[1:]), set())

    assert next(iter(ACCEPTED)) in found.what
