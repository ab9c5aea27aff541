"""The registry's tags end as the ledger has it, from any state, and never name two champions on the way."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from shared.decisions.delivery.model_stages import MOST_CHANGES, ModelStage, ModelVersion, stage_changes

RUNS = ["a-1", "b-1", "c-1", "d-1"]
STAGES = [{}, *({"stage": stage.value} for stage in ModelStage)]

Versions = dict[int, ModelVersion]


def versions_of(drawn: list[tuple[str, dict[str, str]]]) -> Versions:
    return {
        number: ModelVersion(name="m", version=number, run_id=run, tags=tags)
        for number, (run, tags) in enumerate(drawn, 1)
    }


def champions(versions: Versions) -> list[ModelVersion]:
    return [each for each in versions.values() if each.tags.get("stage") == "champion"]


@st.composite
def registries(draw: st.DrawFn) -> Versions:
    """Any state that earlier calls, people or crashes left, with at most one champion."""
    drawn = draw(st.lists(st.tuples(st.sampled_from(RUNS), st.sampled_from(STAGES)), max_size=30))
    versions = versions_of(drawn)
    for other in champions(versions)[1:]:
        versions[other.version] = replace(other, tags={"stage": "retired"})
    return versions


@given(
    registries(),
    st.sampled_from([None, *RUNS]),
    st.sets(st.sampled_from(RUNS)),
    st.lists(st.integers(0, MOST_CHANGES), max_size=5),
)
def test_however_often_it_is_interrupted_it_ends_as_the_ledger_has_it(
    versions: Versions, champion: str | None, unfinished: set[str], crashes: list[int]
) -> None:
    """``crashes``: after how many writes each call is interrupted; those after them are not."""
    calls = iter(crashes)
    while changes := stage_changes(versions.values(), champion=champion, unfinished=unfinished):
        assert len(changes) <= MOST_CHANGES
        for change in changes[: next(calls, MOST_CHANGES)]:
            known = versions[change.version]
            versions[change.version] = replace(known, tags={**known.tags, **change.tags})
            assert len(champions(versions)) <= 1

    first = {each.run_id: each.version for each in sorted(versions.values(), key=lambda each: -each.version)}
    for each in versions.values():
        if first[each.run_id] != each.version:
            assert each.tags.items() >= {"stage": "retired", "duplicate_of": str(first[each.run_id])}.items()
        elif each.run_id == champion:
            assert each.tags["stage"] == "champion"
        else:
            assert each.tags["stage"] == ("candidate" if each.run_id in unfinished else "retired")


def test_the_old_champion_leaves_before_the_new_one_enters() -> None:
    versions = versions_of([("a-1", {"stage": "champion"}), ("b-1", {"stage": "candidate"}), ("c-1", {})])

    changes = stage_changes(versions.values(), champion="b-1", unfinished={"c-1"})

    assert [(change.version, change.tags["stage"]) for change in changes] == [
        (1, "retired"),
        (2, "champion"),
        (3, "candidate"),
    ]
