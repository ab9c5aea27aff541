"""What somebody must decide, whatever another version of the app says of itself."""

from dataclasses import fields
from typing import Any

import pytest

from function_app.api.models import RunView
from function_app.page.decisions import decisions_of
from function_app.page.screens.statuses import moment_in
from shared.messages import RunRecord, Stage
from tests.support.arrivals import a_run_record
from tests.support.workflow import START

RECORD = a_run_record(outcome=None)
WAITS = {"phase": "approval", "decide_until": START.isoformat()}


def told(roll_outs: Any) -> RunView:
    known = {part.name: getattr(RECORD, part.name) for part in fields(RunRecord)}
    return RunView(**known | {"stage": Stage.ROLLING_OUT}, progress={"roll_outs": roll_outs})


def test_a_roll_out_that_waits_is_a_decision_until_its_time() -> None:
    (found,) = decisions_of(told({"hub-vm": WAITS, "other": {"phase": "canary"}}))

    assert (found.run_id, found.target, found.until) == (RECORD.run_id, "hub-vm", START)


@pytest.mark.parametrize("odd", ["approval", 7, None, ["phase", "approval"], {"phase": ["approval"]}])
def test_what_is_no_mapping_is_no_decision_and_hides_no_other(odd: Any) -> None:
    (found,) = decisions_of(told({"odd": odd, "hub-vm": WAITS}))

    assert found.target == "hub-vm"
    assert decisions_of(told(odd)) == ()


@pytest.mark.parametrize("odd", [None, 7, "soon", "2026-05-01T10:00:00", ["2026-05-01T10:00:00+00:00"]])
def test_what_is_no_moment_is_none(odd: Any) -> None:
    assert moment_in(odd) is None
    assert decisions_of(told({"hub-vm": WAITS | {"decide_until": odd}}))[0].until is None
