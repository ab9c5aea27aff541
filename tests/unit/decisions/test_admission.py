import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.decisions.admission import Refuse, Start, decide, effective_parameters, under_way
from shared.errors import Code, PermanentError
from shared.messages import Outcome, RunRecord, Verdict
from tests.support.arrivals import a_run_record

FINAL = [Outcome.PROMOTED, Outcome.NOT_PROMOTED]
AGAIN = [Outcome.FAILED, Outcome.CANCELLED, Outcome.ROLLED_BACK]


def _attempts(*outcomes: Outcome | None) -> list[RunRecord]:
    return [
        a_run_record(run_id=f"breast-cancer-abababababab-{n}", attempt=n, outcome=outcome)
        for n, outcome in enumerate(outcomes, start=1)
    ]


def test_a_new_fingerprint_is_trained() -> None:
    assert decide([]) == Start(attempt=1)


@pytest.mark.parametrize("outcome", AGAIN)
def test_an_attempt_that_told_nothing_about_its_model_may_be_tried_again(outcome: Outcome) -> None:
    assert decide(_attempts(outcome)) == Start(attempt=2)


@pytest.mark.parametrize("outcome", FINAL)
def test_a_judged_fingerprint_is_unchanged_and_names_its_run(outcome: Outcome) -> None:
    decision = decide(_attempts(Outcome.FAILED, outcome))
    assert isinstance(decision, Refuse)
    assert (decision.run_id, decision.verdict) == ("breast-cancer-abababababab-2", Verdict.UNCHANGED)
    assert decision.reason == (
        "nothing changed: run breast-cancer-abababababab-2 already trained exactly this data, code and parameters "
        f"({outcome.value.replace('_', ' ')})"
    )


def test_an_attempt_under_way_is_not_doubled() -> None:
    assert decide(_attempts(Outcome.FAILED, None)) == under_way("breast-cancer-abababababab-2")


@given(st.lists(st.sampled_from(AGAIN), max_size=5), st.sampled_from([*FINAL, None]), st.randoms())
def test_the_last_attempt_decides_in_whatever_order_they_come(
    failed: list[Outcome], last: Outcome | None, random: object
) -> None:
    previous = _attempts(*failed, last)
    random.shuffle(previous)  # type: ignore[attr-defined]  # hypothesis types it as object
    decision = decide(previous)
    assert isinstance(decision, Refuse)
    assert decision.run_id.endswith(f"-{len(failed) + 1}")
    assert decide([run for run in previous if run.outcome in AGAIN]) == Start(attempt=len(failed) + 1)


def test_overrides_replace_declared_parameters() -> None:
    assert effective_parameters({"depth": 3, "rate": 0.5}, {"depth": 4}) == {"depth": 4, "rate": 0.5}


def test_a_whole_number_will_do_for_a_number_and_becomes_one() -> None:
    merged = effective_parameters({"rate": 0.5}, {"rate": 1})
    assert type(merged["rate"]) is float


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        ({"deep": 4}, "parameters: there is no 'deep'; declared: depth, on"),
        ({"depth": 4.5}, "parameters: depth must be of kind int, not float"),
        ({"depth": True}, "parameters: depth must be of kind int, not bool"),
        ({"on": "yes"}, "parameters: on must be of kind bool, not str"),
    ],
)
def test_a_bad_override_is_refused_by_name(overrides: dict[str, str | float], reason: str) -> None:
    with pytest.raises(PermanentError) as refused:
        effective_parameters({"depth": 3, "on": False}, overrides)
    assert (refused.value.code, refused.value.reason) == (Code.BAD_REQUEST, reason)
