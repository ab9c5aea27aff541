"""What subscribers get when data are overdue."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from cli.schemas import FOLDER
from shared.messages import Basis, Gap, OverdueData
from shared.wire_contracts.data_events import SCHEMA, overdue_announcement

AT = datetime(2026, 3, 1, 12, 30, 5, tzinfo=UTC)
GAP = Gap(
    start=datetime(2026, 2, 28, tzinfo=UTC),
    by=datetime(2026, 2, 28, 6, tzinfo=UTC),
    since=datetime(2026, 2, 28, 7, tzinfo=UTC),
    files=2,
    missed=3,
)
OVERDUE = OverdueData(
    pipeline="digits",
    site="line-2",
    gap=GAP,
    zone="Europe/Amsterdam",
    basis=Basis.FILE,
    sentence="2 files were expected, and fewer have come",
    occurred_at=AT,
)


def contract() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((FOLDER / "data-event.json").read_text(encoding="utf-8"))
    return document


def test_it_says_what_did_not_come_by_when_and_who_says_so() -> None:
    announced = overdue_announcement(OVERDUE)

    assert (announced.id, announced.type) == ("digits-overdue-20260228T070000", "io.edgetrain.data.overdue")
    assert (announced.source, announced.subject) == ("/edgetrain/pipelines/digits", "pipelines/digits")
    assert (announced.time, announced.dataschema) == (AT, contract()["$id"])
    assert announced.data == {
        "pipeline": "digits",
        "site": "line-2",
        "kind": "overdue",
        "seen_at": "2026-03-01T12:30:05Z",
        "sentence": "2 files were expected, and fewer have come",
        "expected_by": "2026-02-28T06:00:00Z",
        "overdue_since": "2026-02-28T07:00:00Z",
        "files": 2,
        "zone": "Europe/Amsterdam",
        "basis": "file",
        "schema": 1,
    }


LONG = replace(OVERDUE, basis=Basis.FORECAST, sentence="a\U0001f600" * 5_000, gap=replace(GAP, files=1))


@pytest.mark.parametrize("overdue", [OVERDUE, LONG])
def test_it_keeps_its_contract(overdue: OverdueData) -> None:
    schema = contract()
    Draft202012Validator.check_schema(schema)
    announced = overdue_announcement(overdue)

    Draft202012Validator(schema).validate(announced.data)

    assert schema["$id"] == SCHEMA
    assert set(announced.data) == set(schema["properties"]) == set(schema["required"])
    assert announced.type.removeprefix("io.edgetrain.data.") in schema["$defs"]["DataEventKind"]["enum"]
    assert len(json.dumps(announced.data)) < 10_000


def test_a_gap_has_one_id_and_another_gap_another() -> None:
    later = replace(OVERDUE, occurred_at=AT + timedelta(days=1), gap=replace(GAP, missed=4))
    other = replace(OVERDUE, gap=replace(GAP, since=GAP.since + timedelta(days=1)))
    assert overdue_announcement(later).id == overdue_announcement(OVERDUE).id != overdue_announcement(other).id
