"""Who may have a target run a plan: a run, the finalization of one, or an action, each of the plan's own pipeline."""

import re
from typing import Protocol

from shared.errors import Code, PermanentError
from shared.messages import Action, ApplyPlan, RunRecord
from shared.orchestration_ids import finalization_id

_ID = re.compile(r"[\w-]{1,255}")
_FINALIZATION = finalization_id("")


class Runs(Protocol):
    """Knows the records of runs."""

    def run(self, run_id: str) -> RunRecord | None:
        """The record of a run."""


class Actions(Protocol):
    """Knows what operators do by hand."""

    def action(self, action_id: str) -> Action | None:
        """The action of that id."""


def require_known_author(command: ApplyPlan, *, runs: Runs, actions: Actions) -> None:
    """Refuse a plan of somebody that the ledger does not know (unknown_release).

    Whoever holds the system key of the Durable extension may start any orchestration: also a plan without releases, or
    with those of an older run, needs somebody who stands in the ledger.
    """
    by, pipeline = command.by, command.plan.pipeline
    record = runs.run(by) or runs.run(by.removesuffix(_FINALIZATION))
    if record is not None:
        known = record.pipeline == pipeline
    else:
        action = actions.action(by) if _ID.fullmatch(by) else None
        known = action is not None and action.pipeline == pipeline
    if not known:
        reason = (
            f"the ledger knows no run or action {by} of pipeline {pipeline}, so nothing is changed on"
            f" {command.plan.target}; find out who asked for it"
        )
        raise PermanentError(reason, code=Code.UNKNOWN_RELEASE)
