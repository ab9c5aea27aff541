import json
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.messages.serving import PlannedRelease, ServingPlan
from shared.serving.slots import SWITCHES_KEPT, Colour, Deployment, Slot, parse_slot, slot_path, slot_text
from tests.support.slots import a_slot, switched_to

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def deployment(number: int) -> Deployment:
    return Deployment(run_id=f"r{number}", image=f"registry/m@sha256:{number}")


def released(slot: Slot, number: int) -> Slot:
    """The slot after all traffic moved to that release, which takes the colour that has none."""
    return switched_to(slot, deployment(number), at=NOW)


def test_the_first_release() -> None:
    slot = released(a_slot(), 1)
    assert (slot.active, slot.live) == (Colour.BLUE, deployment(1))


def test_the_file_says_what_people_and_tools_look_for() -> None:
    raw = json.loads(slot_text(released(released(a_slot(), 1), 2)))
    assert raw["frontend_port"] == 20000
    assert raw["ports"] == {"blue": 20001, "green": 20002}
    assert {colour: (each["run_id"], each["weight"]) for colour, each in raw["places"].items()} == {
        "blue": ("r1", 0),
        "green": ("r2", 100),
    }
    assert raw["switches"][1] == {
        "number": 2,
        "run_id": "r2",
        "image": "registry/m@sha256:2",
        "colour": "green",
        "at": "2026-11-24T00:00:00Z",
    }
    assert raw["schema"] == 2
    assert slot_path("p") == "serving/p.json"


def schema_1(**changes: object) -> str:
    """A slot file as it was written before plans."""
    fields = {
        "pipeline": "p",
        "bind": "127.0.0.1",
        "frontend_port": 20000,
        "ports": {"blue": 20001, "green": 20002},
        "active": "green",
        "live": {"run_id": "r2", "image": "registry/m@sha256:2"},
        "previous": {"run_id": "r1", "image": "registry/m@sha256:1"},
        "switches": [],
        "schema": 1,
    }
    return json.dumps({**fields, **changes})


def test_a_slot_of_schema_1_is_brought_forward() -> None:
    slot = parse_slot(schema_1())
    assert (slot.active, slot.live) == (Colour.GREEN, deployment(2))
    assert [(each.run_id, each.weight) for each in slot.wanted] == [("r2", 100), ("r1", 0)]
    assert slot.weight(Colour.BLUE) == 0
    assert slot.surplus() == []
    assert parse_slot(slot_text(slot)) == slot
    assert parse_slot(schema_1(active=None, live=None, previous=None)).places == {}


def plan(*releases: tuple[int, int], based_on: str = "") -> ServingPlan:
    planned = (
        PlannedRelease(run_id=f"r{number}", image=f"registry/m@sha256:{number}", weight=weight)
        for number, weight in releases
    )
    return ServingPlan(target="vm", pipeline="p", releases=tuple(planned), based_on=based_on)


def test_a_plan_for_another_revision_is_not_taken_unless_it_is_what_is_wanted() -> None:
    slot = a_slot().taken(plan((1, 100)))
    assert slot.revision == 1
    assert slot.taken(plan((1, 100), based_on="0")) is slot
    assert slot.takes(plan((1, 100), based_on="0"))
    assert not slot.takes(plan((2, 100), based_on="0"))
    assert slot.takes(plan((2, 100), based_on="1"))
    assert slot.takes(plan((2, 100)))


def after(slot: Slot, *releases: tuple[int, int]) -> Slot:
    """The slot after a plan was fulfilled."""
    slot = slot.taken(plan(*releases))
    for release in slot.unplaced():
        colour = slot.free()
        assert colour is not None
        slot = slot.placed(release, colour)
    slot = slot.weighted(at=NOW)
    for colour in slot.surplus():
        slot = slot.vacated(colour)
    return slot


def test_only_what_had_all_of_the_traffic_is_kept() -> None:
    slot = after(a_slot(), (1, 100))
    for weight in (0, 30, 70):
        slot = after(slot, (1, 100 - weight), (2, weight))
    slot = after(slot, (1, 100))
    assert (slot.kept, slot.leaving) == ((), (deployment(2).image,))
    assert [switch.run_id for switch in slot.switches] == ["r1"]

    slot = after(after(after(slot, (1, 100), (2, 0)), (1, 0), (2, 100)), (2, 100))
    assert slot.kept == (deployment(1),)
    assert [switch.run_id for switch in slot.switches] == ["r1", "r2"]


PLANS = st.one_of(
    st.just(()),
    st.integers(1, 5).map(lambda run: ((run, 100),)),
    st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(0, 100))
    .filter(lambda each: each[0] != each[1])
    .map(lambda each: ((each[0], 100 - each[2]), (each[1], each[2]))),
)


@given(st.lists(PLANS, max_size=12), st.integers(0, 3))
@example([((2, 0), (1, 100)), ((3, 100), (2, 0))], 0)  # what has traffic stays, so what has none gives way
def test_any_plans(plans: list[tuple[tuple[int, int], ...]], most: int) -> None:
    """Each plan in as many rounds as it needs: it is fulfilled, and nothing with traffic was ever replaced."""
    slot = a_slot()
    for number, releases in enumerate(plans):
        slot = slot.taken(plan(*releases, based_on=str(slot.revision)))
        for _ in range(3):
            for release in slot.unplaced():
                if slot.free() is None:
                    slot = slot.squeezed()
                colour = slot.free()
                if colour is not None:
                    assert slot.weight(colour) == 0
                    served = slot.live is not None
                    slot = slot.placed(release, colour)
                    assert (slot.live is not None) == served
            if not slot.wanted or any(slot.colour_of(each) for each in slot.wanted if each.weight):
                slot = slot.weighted(at=NOW)
                assert (slot.live is None) == (not slot.wanted)
            for colour in slot.surplus():
                slot = slot.vacated(colour)
        there = {(each.run_id, each.weight) for each in slot.places.values()}
        assert there == {(f"r{run}", weight) for run, weight in releases}, number
        slot = slot.keeping(most)
        needed = {each.image for each in (*slot.places.values(), *slot.wanted)} | {each.image for each in slot.kept}
        assert not needed & set(slot.leaving)
        assert len(slot.kept) <= most
        assert not {each.run_id for each in slot.kept} & {each.run_id for each in slot.places.values()}
        assert parse_slot(slot_text(slot)) == slot
        slot = slot.cleared(slot.leaving)


@given(st.lists(st.integers(1, 4), max_size=2 * SWITCHES_KEPT))
def test_switches(numbers: list[int]) -> None:
    slot = a_slot()
    for number in numbers:
        before = slot
        slot = released(slot, number)
        colour = slot.active
        assert colour is not None
        assert slot.live == deployment(number)
        assert (slot.switches == before.switches) == (before.live == slot.live)
        assert parse_slot(slot_text(slot)) == slot
    changes = [number for number, before in zip(numbers, [0, *numbers], strict=False) if number != before]
    assert [(switch.number, switch.run_id) for switch in slot.switches] == [
        (place, f"r{number}") for place, number in enumerate(changes, start=1)
    ][-SWITCHES_KEPT:]


@pytest.mark.parametrize(
    "change",
    [
        {"ports": {"blue": 1}},
        {"ports": {"blue": 1, "green": 1}},
        {"ports": {"blue": 20000, "green": 1}},
        {"schema": 3},
        {"places": {"red": {"run_id": "r", "image": "i", "weight": 0}}},
        {"frontend_port": None},
    ],
)
def test_a_broken_file_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="Slot: "):
        parse_slot(json.dumps({**json.loads(slot_text(a_slot())), **change}))


@pytest.mark.parametrize("change", [{"active": "red"}, {"active": None}, {"live": None}])
def test_a_broken_file_of_schema_1_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"Slot: |Colour"):
        parse_slot(schema_1(**change))


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(ValueError, match="Expecting"):
        parse_slot("{")


def test_a_newer_file_is_read() -> None:
    raw = {**json.loads(slot_text(a_slot())), "later": 1}
    assert parse_slot(json.dumps(raw)) == a_slot()
