"""The longest that may come from outside still fits where it is kept and shown; what fits is not touched."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.decisions.promotion.judgement import MOST_BESTS
from shared.formats.size_limits import (
    LONGEST_COLUMN,
    LONGEST_PARAMETERS,
    LONGEST_STATUS,
    MOST_METRICS,
    bounded_metrics,
    bounded_record,
    bounded_status,
    bounded_targets,
    fitted,
    length,
    trouble_with,
)
from shared.messages import (
    Approval,
    Best,
    CanaryStep,
    CanaryVerdict,
    Champion,
    LeftOut,
    Parameters,
    RolloutPhase,
    RunEvent,
    RunEventKind,
    TargetPlan,
    TargetResult,
)
from shared.values.wire import to_text
from shared.wire_contracts.run_events import announcement
from tests.support.arrivals import a_run_record
from tests.support.builders import a_plan, a_run_request, a_snapshot
from tests.support.workflow import START

WIDEST = "\N{PILE OF POO}"  # twelve characters in a JSON text
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
METRICS = st.dictionaries(TEXTS, st.floats(allow_nan=False, allow_infinity=False), max_size=300)
PARAMETERS: Parameters = {f"parameter {number:03}": WIDEST * 5 for number in range(101)}
HALF = "\ud800"  # of a character; JSON has it, and a message would hold three characters in its place
WHYS = ("still_written", "unreadable", "changed", "faulty", "metric")
LONGEST_RUN_ID = f"{'p' * 48}-{'f' * 12}-1000"

A_STEP = CanaryStep(
    weight=50,
    verdict=CanaryVerdict.INCONCLUSIVE,
    requests=10**9,
    errors=10**9,
    stable_requests=10**9,
    stable_errors=10**9,
    evidence=999_999.99,
    latency_ms=12345.678901234567,
    stable_latency_ms=12345.678901234567,
    ended_at=START,
)
AN_APPROVAL = Approval(run_id=LONGEST_RUN_ID, target="t" * 48, approved=False, at=START)


def the_largest_record(letter: str) -> Any:
    """Each name as long as it may be, each text longer than it may be."""
    return a_run_record(
        run_id=LONGEST_RUN_ID,
        pipeline="p" * 48,
        champion_run_id=LONGEST_RUN_ID,
        model="m" * 100,
        version="1000000",
        image=f"{'h' * 253}:65535/models/{'p' * 48}@sha256:{'0' * 64}",
        window_id=f"{'p' * 48}-20260501T100000-01234567",
        note=letter * 500,
        reason=letter * 100_000,
        left_out=tuple(LeftOut(why=why, count=10_000, first=(fitted(letter * 300, 200),) * 5) for why in WHYS),
        holdout="0" * 64,
        evaluator="0" * 64,
        metrics={f"{number} {letter * 300}": -1.2345678901234567e-300 for number in range(2000)},
        targets=tuple(
            TargetResult(
                target="t" * 48,
                deployed=False,
                reason=letter * 5_000,
                endpoint=f"http://{'h' * 253}:65535",
                phase=RolloutPhase.RETURNING,
                canary=(A_STEP,) * 10,
                approval=replace(AN_APPROVAL, by=letter * 500, reason=letter * 500),
                serves=LONGEST_RUN_ID,
                before=LONGEST_RUN_ID,
            )
            for _ in range(20)
        ),
    )


@pytest.mark.parametrize("letter", ["a", "\N{LATIN SMALL LETTER E WITH ACUTE}", WIDEST, HALF])
def test_the_largest_record_fits_into_a_row_with_room_for_fields_to_come(letter: str) -> None:
    record = bounded_record(the_largest_record(letter))

    assert len(to_text(replace(record, targets=()))) <= LONGEST_COLUMN - 1_000
    assert sum(len(to_text(target)) + 1 for target in record.targets) <= LONGEST_COLUMN - 1_000
    assert all(target.canary for target in record.targets), "the last step of each canary is kept"
    assert bounded_record(record) == record, "repeating it changes nothing"
    champion = Champion(
        pipeline="p" * 48,
        run_id=LONGEST_RUN_ID,
        metrics=record.metrics,
        image=record.image,
        holdout="0" * 64,
        evaluator="0" * 64,
        bests=(
            Best(
                run_id=LONGEST_RUN_ID,
                metric="m" * 100,
                higher_is_better=False,
                value=-1.2345678901234567e-300,
                holdout="0" * 64,
                evaluator="0" * 64,
            ),
        )
        * MOST_BESTS,
    )
    assert len(to_text(champion)) <= LONGEST_COLUMN


@pytest.mark.parametrize("letter", ["a", WIDEST])
def test_the_largest_event_of_a_run_is_far_from_what_event_grid_refuses(letter: str) -> None:
    record = bounded_record(the_largest_record(letter))
    event = RunEvent(kind=RunEventKind.DEPLOYED, occurred_at=START, record=record)

    assert length(announcement(event).data) < 64 * 1024


@given(reason=TEXTS, note=TEXTS, metrics=METRICS, reasons=st.lists(TEXTS, max_size=20))
def test_any_record_fits_into_a_row(reason: str, note: str, metrics: dict[str, float], reasons: list[str]) -> None:
    targets = tuple(TargetResult(target="t" * 48, deployed=False, reason=each * 10) for each in reasons)
    record = a_run_record(reason=reason * 30, note=note, metrics=metrics, targets=targets)

    assert len(to_text(bounded_record(record))) <= LONGEST_COLUMN


def test_a_record_that_fits_is_not_touched() -> None:
    metrics = {f"recall of class {number}": 0.5 for number in range(MOST_METRICS)}
    targets = tuple(TargetResult(target=f"line-{number}", deployed=False, reason="r" * 290) for number in range(20))
    record = a_run_record(reason="two\nlines  and more", metrics=metrics, targets=targets)

    assert bounded_record(record) == record
    assert bounded_targets(targets) == targets


def test_the_judged_metric_is_kept_before_all_others_and_the_rest_is_counted() -> None:
    metrics = {f"{number:04}": number / 7 for number in range(1000)} | {"zz judged": 0.5}

    kept, rest = bounded_metrics(metrics, "zz judged")

    assert kept["zz judged"] == 0.5
    assert len(kept) == MOST_METRICS
    assert rest.startswith("901 of 1001 metrics are not kept")
    assert "Azure ML" in rest


@given(METRICS, TEXTS)
def test_what_is_kept_of_metrics_is_as_it_was_and_what_is_not_is_counted(
    metrics: dict[str, float], judged: str
) -> None:
    kept, rest = bounded_metrics(metrics, judged)

    assert kept.items() <= metrics.items()
    assert bool(rest) is (len(kept) < len(metrics))
    assert bounded_metrics(kept, judged) == (kept, "")


def test_a_judged_metric_with_the_longest_name_is_kept() -> None:
    judged = "m" * 100  # as long as a pipeline's file may name it

    kept, _ = bounded_metrics({judged: 0.5} | {f"{WIDEST * 199}{number}": 0.1 for number in range(200)}, judged)

    assert kept[judged] == 0.5


@given(TEXTS, st.integers(50, 500))
def test_a_fitted_text_has_no_more_characters_than_it_may(text: str, longest: int) -> None:
    cut = fitted(text, longest)

    assert length(cut) <= longest
    assert cut == text or length(text) > longest


def test_halves_of_characters_are_counted_and_no_names() -> None:
    assert fitted(f"a{HALF}b", 100) == "a\\ud800b"
    kept, rest = bounded_metrics({f"loss{HALF}": 0.1, "accuracy": 0.9}, "accuracy")
    assert kept == {"accuracy": 0.9}
    assert rest.startswith("1 of 2 metrics are not kept")


STATUSES = st.recursive(
    TEXTS | st.integers() | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=25) | st.dictionaries(st.text("abc", max_size=9), inner, max_size=25),
    max_leaves=200,
)


@given(STATUSES)
def test_any_custom_status_fits(progress: Any) -> None:
    shown = bounded_status({"stage": "rolling_out", "since": "2026-05-01T10:00:00+00:00", "progress": progress})

    assert len(json.dumps(shown, ensure_ascii=False).encode("utf-16-le", "surrogatepass")) <= 16 * 1024 + 2 * 1024
    assert length(shown) <= LONGEST_STATUS
    assert (shown["stage"], shown["since"]) == ("rolling_out", "2026-05-01T10:00:00+00:00")


def test_seventeen_failing_targets_with_long_reasons_are_shown_with_all_their_names() -> None:
    reasons = {f"line-{number}": "the candidate answered nothing for a long time " * 20 for number in range(17)}
    status = {"stage": "done", "since": "now", "progress": {"outcome": "rolled_back", "targets": reasons}}

    shown = bounded_status(status)

    assert length(shown) <= LONGEST_STATUS
    assert shown["progress"]["targets"].keys() == reasons.keys()
    assert shown["progress"]["outcome"] == "rolled_back"


def test_a_status_that_fits_is_not_touched() -> None:
    status = {"stage": "training", "since": "now", "progress": {"detail": "a\nb  c", "targets": ["x"], "free_at": None}}

    assert bounded_status(status) == status


def test_the_largest_request_fits_into_a_row() -> None:
    """Its parameters are as long as they may be, and everything else too."""
    name, parameters = "p" * 48, PARAMETERS
    assert trouble_with(parameters) == ""
    assert length(parameters) > LONGEST_PARAMETERS - 200
    plan = a_plan()
    request = a_run_request(
        run_id=LONGEST_RUN_ID,
        pipeline=name,
        requested_by=f"schedule-{name}-20260501T1000",
        window_id=f"{name}-20260501T100000-01234567",
        note=WIDEST * 500,
        parameters=parameters,
        snapshot=a_snapshot(site=name, container=name, manifest=f"{name}/{'0' * 64}.json", seen=f"{name}/{'0' * 64}.s"),
        plan=replace(
            plan,
            compute=name,
            rule=replace(plan.rule, metric="m" * 100),
            targets=tuple(TargetPlan(name=f"{number:02}{'t' * 46}", health_seconds=3600.0) for number in range(20)),
            model="m" * 100,
        ),
    )

    assert len(to_text(request)) <= LONGEST_COLUMN - 2_000


def test_parameters_that_are_too_long_are_refused_with_the_remedy() -> None:
    rest = trouble_with({"words": "x" * LONGEST_PARAMETERS})

    assert f"at most {LONGEST_PARAMETERS} are taken" in rest
    assert "training's folder" in rest
