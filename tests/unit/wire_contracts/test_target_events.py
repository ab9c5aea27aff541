"""What subscribers get of a target that drifted."""

from datetime import UTC, datetime

from shared.messages import TargetEvent, TargetEventKind
from shared.wire_contracts.target_events import target_announcement

AT = datetime(2026, 3, 1, 12, 30, 5, tzinfo=UTC)


def test_a_drifted_target_is_a_cloud_event_with_what_should_serve_and_what_did() -> None:
    event = TargetEvent(
        kind=TargetEventKind.DRIFTED,
        occurred_at=AT,
        target="hub-vm",
        pipeline="digits",
        drift="the release of run digits-1 is gone",
        wanted="digits-1",
    )

    announced = target_announcement(event)

    assert announced.id == "hub-vm-digits-drifted-20260301T123005"
    assert announced.type == "io.edgetrain.target.drifted"
    assert (announced.source, announced.subject) == ("/edgetrain/targets/hub-vm", "pipelines/digits")
    assert announced.dataschema == "urn:edgetrain:schema:target-event:1"
    assert announced.data == {
        "target": "hub-vm",
        "pipeline": "digits",
        "kind": "drifted",
        "seen_at": "2026-03-01T12:30:05Z",
        "drift": "the release of run digits-1 is gone",
        "wanted_run_id": "digits-1",
        "serving_run_id": None,
        "schema": 1,
    }
