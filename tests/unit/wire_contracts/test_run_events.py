import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter

from shared.messages import Outcome, RunEvent, RunEventKind, RunRecord, Stage, TargetResult
from shared.values.wire import from_wire
from shared.wire_contracts.run_events import RunEventData, announcement
from tests.support.arrivals import a_run_record
from tests.support.workflow import START

RECORD = a_run_record(
    outcome=Outcome.PROMOTED,
    reason="accuracy 0.97 beats 0.93",
    stage=Stage.ROLLING_OUT,
    ended_at=START + timedelta(minutes=3),
    seconds=180.0,
    metrics={"accuracy": 0.97},
    champion_run_id="breast-cancer-000000000000-1",
    model="breast-cancer",
    version="2",
    image="registry/models/breast-cancer@sha256:00",
    targets=(
        TargetResult(target="hub-vm", deployed=True, endpoint="http://10.0.0.4:8400"),
        TargetResult(target="line-2", deployed=False, reason="no SSH"),
    ),
    note="Dr. Weber asked for it",
    forced=True,
    blobs=3,
)


def an_event(kind: RunEventKind = RunEventKind.DEPLOYED, record: RunRecord = RECORD) -> RunEvent:
    return RunEvent(kind=kind, occurred_at=START, record=record)


def test_what_subscribers_rely_on() -> None:
    event = announcement(an_event())

    assert event.id == f"{RECORD.run_id}-deployed"
    assert event.type == "io.edgetrain.run.deployed"
    assert event.source == "/edgetrain/pipelines/breast-cancer"
    assert event.subject == f"runs/{RECORD.run_id}"
    assert event.time == START
    assert event.dataschema == "urn:edgetrain:schema:run-event:1"
    assert event.data == {
        "schema": 1,
        "run_id": RECORD.run_id,
        "pipeline": "breast-cancer",
        "kind": "deployed",
        "stage": "rolling_out",
        "cause": "new_data",
        "requested_at": "2026-05-01T10:00:00Z",
        "attempt": 1,
        "forced": True,
        "fingerprint": RECORD.fingerprint,
        "snapshot_digest": RECORD.snapshot_digest,
        "files": 3,
        "outcome": "promoted",
        "reason": "accuracy 0.97 beats 0.93",
        "ended_at": "2026-05-01T10:03:00Z",
        "seconds": 180.0,
        "metrics": {"accuracy": 0.97},
        "champion_run_id": "breast-cancer-000000000000-1",
        "model": "breast-cancer",
        "version": "2",
        "image": "registry/models/breast-cancer@sha256:00",
        "awaits_approval_for": None,
        "deployed_to": ["hub-vm"],
    }


def test_every_wish_for_approval_is_an_event_of_its_own() -> None:
    wish = replace(an_event(RunEventKind.APPROVAL_WANTED), target="hub-vm", number=1)
    event = announcement(wish)

    assert event.id == f"{RECORD.run_id}-approval_wanted-hub-vm-1"
    assert event.type == "io.edgetrain.run.approval_wanted"
    assert event.data["awaits_approval_for"] == "hub-vm"
    assert announcement(replace(wish, number=2)).id != event.id


def test_a_repeat_has_the_same_id_and_every_kind_of_a_run_its_own() -> None:
    later = replace(an_event(), occurred_at=START + timedelta(hours=1))
    assert announcement(later).id == announcement(an_event()).id

    assert len({announcement(an_event(kind)).id for kind in RunEventKind}) == len(RunEventKind)


def test_addresses_and_the_requesters_words_stay_here() -> None:
    text = json.dumps(announcement(an_event()).data)

    assert "10.0.0.4" not in text
    assert "Weber" not in text


@pytest.mark.parametrize("kind", RunEventKind)
def test_the_data_is_what_its_schema_says(kind: RunEventKind) -> None:
    """The generated schema is what subscribers are given: each field described, none of ours left out."""
    record = RECORD if kind.final else a_run_record(outcome=None, reason="")
    data = announcement(an_event(kind, record)).data
    schema: dict[str, Any] = TypeAdapter(RunEventData).json_schema()

    assert set(data) == set(schema["properties"])
    assert all(field.get("description") for field in schema["properties"].values())
    assert from_wire(RunEventData, data).kind is kind


def test_a_long_reason_is_shortened() -> None:
    assert len(announcement(an_event(record=replace(RECORD, reason="x" * 5000))).data["reason"]) <= 500


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_has_a_last_event(outcome: Outcome) -> None:
    kind = RunEventKind.ending(outcome)

    assert kind.final
    assert (kind.value == outcome.value) == (outcome is not Outcome.PROMOTED)


def test_what_comes_before_the_end_is_not_final() -> None:
    assert [kind.value for kind in RunEventKind if not kind.final] == [
        "accepted",
        "training_started",
        "trained",
        "registered",
        "approval_wanted",
    ]
