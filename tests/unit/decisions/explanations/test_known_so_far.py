"""What a run under way has learnt, through its custom status and back."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.decisions.explanations.known_so_far import so_far, with_known
from shared.messages import JudgedRule, RuleResult, first_record
from tests.support.builders import a_run_request

CLAIM = first_record(a_run_request(), reason="claimed")
LEARNT = replace(
    CLAIM,
    reason="accuracy 0.97 meets the floor",
    metrics={"accuracy": 0.97},
    comparable=False,
    rules=(JudgedRule(rule="judge.floor", result=RuleResult.MET, value=0.97, limit=0.9),),
    reached={"training": datetime(2026, 11, 29, 12, tzinfo=UTC)},
)


def test_what_was_learnt_comes_back_and_nothing_else_is_said() -> None:
    said = json.loads(json.dumps(so_far(LEARNT)))

    assert set(said) == {"reason", "metrics", "comparable", "rules", "reached"}
    assert with_known(CLAIM, said) == LEARNT


@pytest.mark.parametrize("said", [None, "x", {}, {"metrics": "many"}, {"rules": [{"rule": 1}]}, {"unheard": 1}])
def test_what_is_not_understood_changes_nothing(said: Any) -> None:
    assert with_known(CLAIM, said) == CLAIM


def test_a_status_cannot_say_whose_run_it_is_or_how_it_ended() -> None:
    assert with_known(CLAIM, {"run_id": "other", "outcome": "promoted", "pipeline": "other"}) == CLAIM
