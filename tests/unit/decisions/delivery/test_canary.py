import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.canaries import Case, simulated
from shared.decisions.delivery import canary
from shared.messages.canary import CanaryEvidence, CanaryVerdict, Tally
from shared.values.wire import from_wire, to_wire
from tests.support.workflow import START

tallies = st.builds(
    lambda requests, part: Tally(requests=requests, errors=round(part * requests)),
    st.integers(0, 5_000),
    st.floats(0, 1),
)


def looked(*blocks: tuple[Tally, Tally], evidence: CanaryEvidence | None = None) -> CanaryEvidence:
    found = evidence or CanaryEvidence()
    for stable, candidate in blocks:
        found = canary.with_block(found, stable, candidate)
    return found


def of(requests: int, errors: int = 0) -> Tally:
    return Tally(requests=requests, errors=errors)


@given(tallies, st.integers(1, 12), st.integers(1, 5), st.floats(0, 1))
def test_a_block_says_nothing_on_average_when_both_err_as_often(
    before: Tally, stable: int, candidate: int, rate: float
) -> None:
    """What bounds the false alarms, exactly: the expectation of the evidence is at most 1, whatever the rate is."""
    start = CanaryEvidence(stable=before)
    expected = sum(
        _chance(failed, stable, rate)
        * _chance(worse, candidate, rate)
        * canary.e_value(looked((of(stable, failed), of(candidate, worse)), evidence=start))
        for failed in range(stable + 1)
        for worse in range(candidate + 1)
    )
    assert expected <= 1 + 1e-9


def _chance(errors: int, requests: int, rate: float) -> float:
    return float(math.comb(requests, errors) * rate**errors * (1 - rate) ** (requests - errors))


@pytest.mark.parametrize("rate", [0.0, 0.001, 0.02, 0.2])
@pytest.mark.parametrize("looks", [3, 30, 300])
def test_candidates_that_are_as_good_seldom_go_back(rate: float, looks: int) -> None:
    assert simulated(Case(rate, rate, looks, 12_000 // (looks + 20))).back <= canary.ALPHA


def test_four_times_the_errors_are_found() -> None:
    found = simulated(Case(0.02, 0.08, 100, 400))
    assert found.back >= 0.99
    assert found.median_look <= 20


def test_most_answers_failing_is_found_at_once() -> None:
    evidence = looked((of(200, 2), of(12, 6)))
    assert canary.against(evidence) is CanaryVerdict.FAILING


def test_what_disturbs_both_says_nothing() -> None:
    evidence = looked(*[(of(50, 40), of(50, 40))] * 20)
    assert canary.against(evidence) is None
    assert canary.e_value(evidence) < 1


@given(st.lists(st.tuples(tallies, tallies), max_size=30))
def test_evidence_is_always_a_number(blocks: list[tuple[Tally, Tally]]) -> None:
    evidence = looked(*blocks)
    assert all(map(math.isfinite, evidence.log_e))
    assert math.isfinite(canary.e_value(evidence))
    assert from_wire(CanaryEvidence, to_wire(evidence)) == evidence
    assert evidence.candidate.requests == sum(candidate.requests for _, candidate in blocks)


def test_a_step_with_few_requests_is_inconclusive() -> None:
    evidence = looked((of(1_000), of(199)))
    assert canary.at_the_end_of_a_step(evidence, 200) is CanaryVerdict.INCONCLUSIVE
    assert canary.at_the_end_of_a_step(evidence, 199) is CanaryVerdict.PASSED
    step = canary.recorded(evidence, 5, CanaryVerdict.PASSED, START)
    assert (step.weight, step.requests, step.stable_requests, step.errors) == (5, 199, 1_000, 0)
    assert step.evidence < 1


def test_much_slower_answers_several_times_in_a_row_count() -> None:
    evidence = CanaryEvidence()
    for _ in range(canary.SLOW_LOOKS):
        assert canary.against(evidence) is None
        evidence = canary.with_block(evidence, of(50), of(5), stable_latency_ms=50, latency_ms=500)
    assert canary.against(evidence) is CanaryVerdict.SLOW
    again = canary.with_block(evidence, of(50), of(5), stable_latency_ms=50, latency_ms=100)
    assert canary.against(again) is None
    assert canary.with_block(evidence, of(50), of(0), stable_latency_ms=50, latency_ms=100).slow == canary.SLOW_LOOKS


def test_little_differences_in_latency_say_nothing() -> None:
    evidence = looked((of(9), of(9)))
    for _ in range(10):
        evidence = canary.with_block(evidence, of(9), of(9), stable_latency_ms=2, latency_ms=40)
    assert canary.against(evidence) is None


def test_counters_that_began_anew_are_noticed() -> None:
    assert canary.counted_since(of(100, 5), of(130, 6)) == of(30, 1)
    assert canary.counted_since(of(100, 5), of(7, 1)) == of(7, 1)
    assert canary.counted_since(of(100, 5), of(130, 4)) == of(30, 0)  # an answer was still being sent
    assert canary.counted_since(of(0), of(3, 9)) == of(3, 3)


@given(st.sampled_from(CanaryVerdict))
def test_every_verdict_has_its_words(verdict: CanaryVerdict) -> None:
    step = canary.recorded(replace(looked((of(90, 1), of(10, 4))), latency_ms=9.0), 10, verdict, START)
    assert canary.in_words(step).startswith("at 10 % of the traffic ")
