import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.serving.slots import SWITCHES_KEPT, Colour, Deployment, Slot, parse_slot, slot_path, slot_text
from tests.support.fake_vm import a_slot

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def deployment(number: int) -> Deployment:
    return Deployment(run_id=f"r{number}", image=f"registry/m@sha256:{number}")


def released(slot: Slot, number: int) -> Slot:
    return slot.switched(deployment(number), slot.idle, at=NOW)


def test_the_first_release() -> None:
    slot = released(a_slot(), 1)
    assert (slot.active, slot.live, slot.previous) == (Colour.BLUE, deployment(1), None)
    assert slot.idle is Colour.GREEN


def test_the_file_says_what_people_and_tools_look_for() -> None:
    text = slot_text(released(released(a_slot(), 1), 2))
    raw = json.loads(text)
    assert raw["frontend_port"] == 20000
    assert raw["ports"] == {"blue": 20001, "green": 20002}
    assert raw["active"] == "green"
    assert raw["live"] == {"run_id": "r2", "image": "registry/m@sha256:2"}
    assert raw["previous"] == {"run_id": "r1", "image": "registry/m@sha256:1"}
    assert raw["switches"][1] == {
        "number": 2,
        "run_id": "r2",
        "image": "registry/m@sha256:2",
        "colour": "green",
        "at": "2026-11-24T00:00:00Z",
    }
    assert slot_path("p") == "serving/p.json"


@given(st.lists(st.integers(1, 4), max_size=2 * SWITCHES_KEPT))
def test_switches(numbers: list[int]) -> None:
    slot = a_slot()
    for number in numbers:
        before = slot
        slot = released(slot, number)
        colour = slot.active
        assert colour is not None
        assert slot.serves(deployment(number), colour)
        assert slot.switched(deployment(number), colour, at=NOW) is slot
        assert slot.previous == before.live
        assert parse_slot(slot_text(slot)) == slot
    assert len(slot.switches) == min(len(numbers), SWITCHES_KEPT)
    assert [switch.number for switch in slot.switches] == list(range(1, len(numbers) + 1))[-SWITCHES_KEPT:]


@pytest.mark.parametrize(
    "change",
    [
        {"ports": {"blue": 1}},
        {"ports": {"blue": 1, "green": 1}},
        {"ports": {"blue": 20000, "green": 1}},
        {"active": "blue"},
        {"active": "red"},
        {"frontend_port": None},
    ],
)
def test_a_broken_file_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="Slot: "):
        parse_slot(json.dumps({**json.loads(slot_text(a_slot())), **change}))


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(ValueError, match="Expecting"):
        parse_slot("{")


def test_a_newer_file_is_read() -> None:
    raw = {**json.loads(slot_text(a_slot())), "later": 1}
    assert parse_slot(json.dumps(raw)) == a_slot()
