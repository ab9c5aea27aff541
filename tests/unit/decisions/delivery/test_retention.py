"""What is live, kept, wanted or not over is never removed, whatever else is true; the rest is bounded."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.decisions.delivery.retention import (
    UNPROMOTED,
    Because,
    InUse,
    PastRun,
    RetentionRule,
    fates,
    references,
)
from tests.support.workflow import START

RULE = RetentionRule(keep_releases=2, keep_days=90)
TARGETS = ("hub-vm", "cloud")
DAY = timedelta(days=1)


def a_run(number: int, *, days_ago: float = 0, **changes: object) -> PastRun:
    run = PastRun(
        run_id=f"p-{number:012x}-1",
        pipeline="p",
        at=START - days_ago * DAY,
        finished=True,
        image=f"sha256:{number:064x}",
        released_to=("hub-vm",),
        manifest=f"p/{number:064x}.json",
        code=f"{number:064x}",
    )
    return replace(run, **changes)  # type: ignore[arg-type]


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[PastRun], InUse]:
    numbers = draw(st.lists(st.integers(0, 40), unique=True, max_size=25))
    runs = [
        a_run(
            number,
            days_ago=draw(st.sampled_from([0, 1, 30, 89.9, 90.1, 200, 900])),
            finished=draw(st.sampled_from([True, True, True, False])),
            image=draw(st.sampled_from(["", f"sha256:{number % 7:064x}", f"sha256:{number:064x}"])),
            released_to=tuple(draw(st.sets(st.sampled_from(TARGETS)))),
        )
        for number in numbers
    ]
    any_run = st.sampled_from([run.run_id for run in runs] or ["none"])
    use = InUse(
        champion=draw(st.one_of(st.none(), any_run)),
        running=draw(st.sets(st.sampled_from([f"sha256:{number:064x}" for number in range(7)]))),
        running_runs=draw(st.sets(any_run, max_size=2)),
        needed=draw(st.sets(any_run, max_size=2)),
        unseen=draw(st.sampled_from([(), (), ("hub-vm",)])),
    )
    return runs, use


@given(histories())
def test_what_is_live_kept_wanted_or_not_over_stays_whole(history: tuple[list[PastRun], InUse]) -> None:
    runs, use = history
    found = fates(runs, use, RULE, START)
    kept = references(runs, found)

    for run in runs:
        held = not run.finished or run.run_id in {use.champion, *use.running_runs, *use.needed}
        if held or (run.image and run.image in use.running):
            assert found[run.run_id].image is not None
            assert found[run.run_id].record is not None
            assert run.manifest in kept.manifests
            assert run.code in kept.code
            assert not run.image or run.image in kept.images
    for target in TARGETS:
        there = sorted((run for run in runs if target in run.released_to), key=lambda run: (run.at, run.run_id))
        assert all(found[run.run_id].image is not None for run in there[-RULE.keep_releases :])


@given(histories())
def test_whose_image_stays_its_record_stays_and_recent_records_stay(history: tuple[list[PastRun], InUse]) -> None:
    runs, use = history
    found = fates(runs, use, RULE, START)

    for run in runs:
        fate = found[run.run_id]
        assert not (fate.image is not None and run.image and fate.record is None)
        if START - run.at <= RULE.keep_days * DAY:
            assert fate.record is not None
        assert fate.rule


@given(histories())
def test_images_are_bounded_by_the_rule(history: tuple[list[PastRun], InUse]) -> None:
    runs, use = history
    if use.unseen:
        return
    found = fates(runs, use, RULE, START)
    why = Counter(fate.image for run_id, fate in found.items())

    assert why[Because.RELEASE] <= RULE.keep_releases * len(TARGETS)
    assert why[Because.RESUMABLE] <= UNPROMOTED
    assert why[Because.UNSEEN] == 0


def test_while_a_target_was_not_seen_no_image_goes() -> None:
    runs = [a_run(number, days_ago=number) for number in range(10)]

    found = fates(runs, InUse(unseen=("hub-vm",)), RULE, START)

    assert [fate.image for fate in found.values()].count(None) == 0
    assert found[runs[5].run_id].image is Because.UNSEEN


def test_an_old_champion_outlives_every_rule() -> None:
    old = a_run(1, days_ago=900)
    runs = [old, *(a_run(number, days_ago=number) for number in range(2, 20))]

    found = fates(runs, InUse(champion=old.run_id), RULE, START)

    assert (found[old.run_id].image, found[old.run_id].record) == (Because.CHAMPION, Because.CHAMPION)


def test_the_rule_that_something_goes_by_is_said() -> None:
    runs = [a_run(number, days_ago=95 + number) for number in range(1, 8)]

    found = fates(runs, InUse(), RULE, START)

    assert found[runs[6].run_id].record is None
    assert "more than 90 days ago (keep_days)" in found[runs[6].run_id].rule


@pytest.mark.parametrize("wrong", [{"keep_releases": 0}, {"keep_days": 0}])
def test_a_rule_that_keeps_nothing_is_none(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        RetentionRule(**wrong)
