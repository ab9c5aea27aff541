"""The table of activities: name, input, output and retry policy, one row each.

Orchestrations call through a row; ``function_app.activity_wiring`` has the bodies. A permanent error is a reply, never
an exception, because an exception would be retried and would arrive as bare text.
"""

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import azure.durable_functions as df

from shared import messages as m
from shared.errors import PermanentError
from shared.retries import (
    ANNOUNCEMENT,
    AZURE_ML,
    LEDGER,
    MESSAGING,
    PREFLIGHT,
    REGISTRY,
    REGISTRY_BRIEFLY,
    STACK_HUB,
    TARGET,
    TRAINING_START,
    RetryPolicy,
)
from shared.values.wire import from_wire, to_wire

Command = TypeVar("Command")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Activity(Generic[Command, Result]):
    """One row: the contract of an activity."""

    name: str
    accepts: type[Command]
    returns: type[Result]
    retry: RetryPolicy

    def call(self, context: df.DurableOrchestrationContext, command: Command) -> Generator[Any, Any, Result]:
        """Run the activity; raises :class:`PermanentError` for a rejected reply, ``Exception`` when retries ran out."""
        reply = yield context.call_activity_with_retry(self.name, self.retry.options(), to_wire(command))
        if "rejected" in reply:
            raise PermanentError(reply["reason"], code=reply["rejected"])
        return from_wire(self.returns, reply["value"])


def accepted(value: object) -> dict[str, Any]:
    """The reply of an activity that worked."""
    return {"value": to_wire(value)}


def rejected(error: PermanentError) -> dict[str, Any]:
    """The reply of an activity that must not be tried again."""
    return {"rejected": error.code.value, "reason": error.reason}


READ_WINDOW = Activity("read_window", m.ArrivalWindow, m.WindowState, LEDGER)
CLOSE_WINDOW = Activity("close_window", m.ArrivalWindow, m.Done, LEDGER)
ADMIT_RUN = Activity("admit_run", m.AdmissionRequest, m.Admission, LEDGER)
RECORD_VERDICT = Activity("record_verdict", m.WindowVerdict, m.Done, LEDGER)
ANSWER_REQUEST = Activity("answer_request", m.AnswerRequest, m.Done, MESSAGING)

PREFLIGHT_RUN = Activity("preflight", m.Preflight, m.Done, PREFLIGHT)

ACQUIRE_COMPUTE = Activity("acquire_compute", m.ComputeTicket, m.ComputeTurn, LEDGER)
RELEASE_COMPUTE = Activity("release_compute", m.ComputeRef, m.Done, LEDGER)

SUBMIT_TRAINING = Activity("submit_training", m.TrainingOrder, m.TrainingStatus, AZURE_ML)
CHECK_TRAINING = Activity("check_training", m.TrainingRef, m.TrainingStatus, AZURE_ML)
CANCEL_TRAINING = Activity("cancel_training", m.TrainingRef, m.Done, AZURE_ML)
COLLECT_TRAINING = Activity("collect_training", m.TrainingRef, m.TrainedModel, AZURE_ML)
READ_RECEIPT = Activity("read_receipt", m.TrainingRef, m.FoundReceipt, AZURE_ML)

READ_CHAMPION = Activity("read_champion", m.ChampionQuery, m.Champion, LEDGER)
REGISTER_MODEL = Activity("register_model", m.RegisterModel, m.RegisteredModel, AZURE_ML)
BUILD_IMAGE = Activity("build_image", m.BuildImage, m.BuiltImage, REGISTRY)

START_CANDIDATE = Activity("start_candidate", m.Rollout, m.Candidate, STACK_HUB)
VERIFY_CANDIDATE = Activity("verify_candidate", m.CandidateStep, m.Done, STACK_HUB)
SWITCH_TRAFFIC = Activity("switch_traffic", m.CandidateStep, m.Release, STACK_HUB)
REMOVE_CANDIDATE = Activity("remove_candidate", m.CandidateStep, m.Done, STACK_HUB)

APPLY_PLAN = Activity("apply_plan", m.ApplyPlan, m.Done, TARGET)
OBSERVE_TARGET = Activity("observe_target", m.ObserveTarget, m.Serving, TARGET)
PLAN_RETURN = Activity("plan_return", m.ReturnQuery, m.ReturnPlan, TARGET)
READ_APPROVAL = Activity("read_approval", m.ApprovalQuery, m.Approval, LEDGER)

PLAN_ROLL_BACK = Activity("plan_roll_back", m.Action, m.RollBackPlan, LEDGER)
CONCLUDE_ACTION = Activity("conclude_action", m.Action, m.Done, LEDGER)
END_ACTION = Activity("end_action", m.ActionEnd, m.Done, LEDGER)
REMOVE_IMAGE = Activity("remove_image", m.TrainingRef, m.Done, REGISTRY_BRIEFLY)

RECORD_RUN = Activity("record_run", m.RunRecord, m.Done, LEDGER)
ISSUE_PASSPORT = Activity("issue_passport", m.IssuePassport, m.Done, REGISTRY_BRIEFLY)
ANNOUNCE = Activity("announce", m.RunEvent, m.Done, ANNOUNCEMENT)
ANNOUNCE_ACTION = Activity("announce_action", m.EndedAction, m.Done, ANNOUNCEMENT)

ACTIVITIES: tuple[Activity[Any, Any], ...] = tuple(row for row in list(globals().values()) if isinstance(row, Activity))
"""Every row above."""

START_TRAINING = replace(SUBMIT_TRAINING, retry=TRAINING_START)
"""The same activity, for polls of schema 3 and later: an attachment of the VM may take some minutes."""
