from dataclasses import replace
from datetime import timedelta

import pytest

from shared.decisions.admission.fingerprint import recipe_digest
from shared.decisions.reconciliation.code_changes import (
    ASK_EVERY,
    CodeStep,
    code_step,
    has_changed,
    noted,
    with_other_code,
)
from shared.messages import Outcome
from shared.messages.listings import DecidedListing, ScanState
from tests.support.arrivals import a_run_record
from tests.support.workflow import START

DECIDED = DecidedListing(listing="a", code="old", run_id="r")
SCAN = ScanState(swept_at=START, listing="a")
SEEN_TO = noted(SCAN, "new", START)


@pytest.mark.parametrize(
    ("decided", "code", "scan", "after", "changed"),
    [
        (DECIDED, "new", SCAN, timedelta(0), True),
        (DECIDED, "new", None, timedelta(0), True),
        (DECIDED, "old", SCAN, timedelta(0), False),
        (None, "new", SCAN, timedelta(0), False),  # nothing was decided on: the data are new anyhow
        (replace(DECIDED, code=""), "new", SCAN, timedelta(0), False),  # decided on before code was kept beside it
        (DECIDED, "", SCAN, timedelta(0), False),  # it cannot be read
        (DECIDED, "new", SEEN_TO, timedelta(minutes=2), False),
        (DECIDED, "newer", SEEN_TO, timedelta(minutes=2), True),
        (DECIDED, "new", SEEN_TO, ASK_EVERY, True),
        (DECIDED, "new", SEEN_TO, -ASK_EVERY, True),  # the clock was set back
    ],
)
def test_a_change_is_noticed_once_an_hour(
    decided: DecidedListing | None, code: str, scan: ScanState | None, after: timedelta, changed: bool
) -> None:
    assert has_changed(decided, code, scan, START + after) is changed


@pytest.mark.parametrize(
    ("outcome", "on_data", "on_code"),
    [
        (Outcome.FAILED, CodeStep.ASK, CodeStep.ASK),
        (Outcome.ROLLED_BACK, CodeStep.ASK, CodeStep.ASK),
        (Outcome.PROMOTED, CodeStep.LEAVE, CodeStep.ASK),
        (Outcome.NOT_PROMOTED, CodeStep.LEAVE, CodeStep.ASK),
        (Outcome.CANCELLED, CodeStep.LEAVE, CodeStep.ASK),
        (None, CodeStep.WAIT, CodeStep.WAIT),
    ],
)
def test_what_failed_is_tried_again_and_what_was_judged_when_the_pipeline_says_so(
    outcome: Outcome | None, on_data: CodeStep, on_code: CodeStep
) -> None:
    last = a_run_record(outcome=outcome)

    assert (code_step(last, on_code=False), code_step(last, on_code=True)) == (on_data, on_code)


def test_without_a_run_only_the_pipeline_says() -> None:
    assert (code_step(None, on_code=False), code_step(None, on_code=True)) == (CodeStep.LEAVE, CodeStep.ASK)


def test_what_could_not_be_decided_on_is_notified_again_with_other_code() -> None:
    notified = replace(SCAN, told="a", told_at=START, code="broken")

    assert with_other_code(notified, "mended") == replace(notified, told="", told_at=None)
    assert with_other_code(notified, "broken") == with_other_code(notified, "") == notified
    assert with_other_code(None, "mended") is None


def test_code_parameters_and_libraries_make_the_recipe() -> None:
    recipes = {
        recipe_digest("t", {"a": 1}),
        recipe_digest("u", {"a": 1}),
        recipe_digest("t", {"a": 1.0}),
        recipe_digest("t", {"a": 1}, leave_out_faulty=True),
    }
    assert len(recipes) == 4
    assert recipe_digest("t", {"b": 2, "a": 1}) == recipe_digest("t", {"a": 1, "b": 2})
