"""The body of every activity with its collaborators, and the registration of all activities.

The contract of each (name, input, output, retry policy) is a row of ``shared.contracts``; the body is here, because
only the app knows its services. An activity with rules or protocols of its own is a module of ``activities/``, imported
when it first runs so that the app starts quickly; one that only calls a service is a function below. mypy checks each
body against its row, and a row without a body stops the start.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import azure.durable_functions as df
import azure.functions as func

from function_app.composition import Services
from function_app.refusals import of_old_secrets
from function_app.tracing import traced_activity
from shared import contracts as c
from shared import messages as m
from shared.errors import Code, PermanentError
from shared.values.texts import shortened, without_queries
from shared.values.wire import from_wire

log = logging.getLogger(__name__)

Body = Callable[[c.Command, Services], c.Result]

BODIES: dict[str, Body[Any, Any]] = {}
"""Activity -> what does it, filled by the functions below."""


def blueprint(services: Services) -> df.Blueprint:
    """One activity function per row of ``ACTIVITIES``."""
    bp = df.Blueprint()
    for activity in c.ACTIVITIES:
        bp.activity_trigger(input_name="command")(_hosted(activity, services))
    return bp


def _hosted(activity: c.Activity[Any, Any], services: Services) -> Callable[..., dict[str, Any]]:
    traced = traced_activity(activity.name, activity_function(activity, BODIES[activity.name], services))

    def run(command: dict, context: func.Context) -> dict:  # type: ignore[type-arg]  # the worker takes plain types only
        return traced(command, context)

    run.__name__ = run.__qualname__ = activity.name
    return run


def activity_function(
    activity: c.Activity[Any, Any], body: Body[Any, Any], services: Services
) -> Callable[[Any], dict[str, Any]]:
    """What is done when the host calls: plain JSON in and out; a permanent error becomes a rejected reply."""

    def run(command: dict[str, Any]) -> dict[str, Any]:
        generation = services.generation
        try:
            return c.accepted(body(from_wire(activity.accepts, command), services))
        except PermanentError as error:
            if (changed := of_old_secrets(error, services, generation)) is not None:
                raise changed from None
            log.warning("%s is rejected: %s: %s", activity.name, error.code.value, error.reason)
            return c.rejected(error)

    run.__name__ = activity.name
    run.__qualname__ = activity.name
    return run


def _body_of(
    activity: c.Activity[c.Command, c.Result],
) -> Callable[[Body[c.Command, c.Result]], Body[c.Command, c.Result]]:
    def keep(body: Body[c.Command, c.Result]) -> Body[c.Command, c.Result]:
        BODIES[activity.name] = body
        return body

    return keep


@_body_of(c.READ_WINDOW)
def read_window(window: m.ArrivalWindow, s: Services) -> m.WindowState:
    """The window's current state; the periods come from the pipeline's file as it is now."""
    return s.ledger.arrivals.window_state(window, settle=s.pipelines.get(window.pipeline).settle)


@_body_of(c.CLOSE_WINDOW)
def close_window(window: m.ArrivalWindow, s: Services) -> m.Done:
    """Close a window *before* the container is listed, so that the next arrival opens a new one.

    An arrival joins the open window after its blob was written. If it joined this one, its blob is there before the
    close and so in the listing; if it comes after the close, it opens a new window, which lists again. Closing after
    the listing would lose what lands between the two.
    """
    s.ledger.arrivals.close_window(window)
    return m.Done()


@_body_of(c.ADMIT_RUN)
def admit_run(request: m.AdmissionRequest, s: Services) -> m.Admission:
    """The one admission for windows, messages and HTTP requests. A window is closed first: see ``close_window``."""
    from activities.admit_run import admit_run as body

    if request.closes is not None:
        s.ledger.arrivals.close_window(request.closes)
    return body(
        request,
        evaluator=s.evaluator,
        snapshots=s.hubs,
        frozen_jobs=s.frozen_jobs,
        runs=s.ledger.runs,
        listings=s.ledger.listings,
    )


@_body_of(c.RECORD_VERDICT)
def record_verdict(verdict: m.WindowVerdict, s: Services) -> m.Done:
    """Record the verdict on every arrival of the window; a repeat changes nothing."""
    s.ledger.arrivals.record_verdict(verdict)
    return m.Done()


@_body_of(c.ANSWER_REQUEST)
def answer_request(answer: m.AnswerRequest, s: Services) -> m.Done:
    from activities.answer_request import answer_request as body

    return body(answer, answers=s.results, subscriptions=s.ledger.outcome_subscriptions, runs=s.ledger.runs)


@_body_of(c.ACQUIRE_COMPUTE)
def acquire_compute(ticket: m.ComputeTicket, s: Services) -> m.ComputeTurn:
    from activities.acquire_compute import acquire_compute as body

    slots = 1 if m.is_delivery(ticket.compute) else s.settings.compute(ticket.compute).slots
    ledger, now = s.ledger, datetime.now(UTC)
    turn = body(ticket, slots=slots, queues=ledger.computes, runs=ledger.runs, approvals=ledger.approvals, now=now)
    if turn.turn is not m.Turn.GRANTED:
        return turn
    # After the grant: whoever held the delivery before has crowned its model by then.
    return replace(turn, champion=ledger.champions.champion(ticket.pipeline))


@_body_of(c.RELEASE_COMPUTE)
def release_compute(ref: m.ComputeRef, s: Services) -> m.Done:
    """Give back a run's compute, or its place in the queue."""
    s.ledger.computes.give_back(ref.compute, ref.run_id, datetime.now(UTC))
    return m.Done()


@_body_of(c.PREFLIGHT_RUN)
def preflight(order: m.Preflight, s: Services) -> m.Done:
    from function_app.doctor.preflight import preflight as body

    return body(order, s)


@_body_of(c.SUBMIT_TRAINING)
def submit_training(order: m.TrainingOrder, s: Services) -> m.TrainingStatus:
    from activities.submit_training import submit_training as body

    images, trusted = s.dependency_images, s.trusted
    return body(order, driver=s.driver, code=s.run_code, images=images, trusted=trusted, runs=s.ledger.runs)


@_body_of(c.CHECK_TRAINING)
def check_training(training: m.TrainingRef, s: Services) -> m.TrainingStatus:
    """The training's current phase; a failed training is a status, not an error."""
    return s.driver.check(training)


@_body_of(c.CANCEL_TRAINING)
def cancel_training(training: m.TrainingRef, s: Services) -> m.Done:
    """Cancel the training; ``check_training`` shows when it has stopped. No error when it has ended already."""
    s.driver.cancel(training)
    return m.Done()


@_body_of(c.COLLECT_TRAINING)
def collect_training(training: m.TrainingRef, s: Services) -> m.TrainedModel:
    """The metrics of a completed training and the path of its model; the model is not moved."""
    return s.driver.collect(training)


@_body_of(c.READ_RECEIPT)
def read_receipt(training: m.TrainingRef, s: Services) -> m.FoundReceipt:
    """What left the site with a training; None when it left no receipt."""
    return m.FoundReceipt(receipt=s.driver.receipt(training))


@_body_of(c.READ_CHAMPION)
def read_champion(query: m.ChampionQuery, s: Services) -> m.Champion:
    """The current champion; ``run_id`` is None when there is none."""
    return s.ledger.champions.champion(query.pipeline)


@_body_of(c.REGISTER_MODEL)
def register_model(command: m.RegisterModel, s: Services) -> m.RegisteredModel:
    from activities.register_model import register_model as body

    return body(command, registry=s.model_registry, pipelines=s.pipelines)


@_body_of(c.BUILD_IMAGE)
def build_image(command: m.BuildImage, s: Services) -> m.BuiltImage:
    from activities.build_image import build_image as body
    from activities.remove_image import remove_if_cancelled

    image = body(
        command,
        artifacts=s.driver,
        code=s.run_code,
        registry=s.container_registry,
        images=s.dependency_images,
        signer=s.image_signatures,
        built=s.ledger.built_images,
    )
    remove_if_cancelled(command, registry=s.container_registry, images=s.ledger.built_images, runs=s.ledger.runs)
    return image


def _begun_by_an_older_app() -> PermanentError:
    """Roll-outs that were under way before there were plans end here; what serves goes on serving."""
    reason = "this roll-out was begun by an older version of the app; start the run again, with force"
    return PermanentError(reason, code=Code.CANDIDATE_FAILED)


@_body_of(c.START_CANDIDATE)
def start_candidate(_: m.Rollout, __: Services) -> m.Candidate:
    raise _begun_by_an_older_app()


@_body_of(c.VERIFY_CANDIDATE)
def verify_candidate(_: m.CandidateStep, __: Services) -> m.Done:
    raise _begun_by_an_older_app()


@_body_of(c.SWITCH_TRAFFIC)
def switch_traffic(_: m.CandidateStep, __: Services) -> m.Release:
    raise _begun_by_an_older_app()


@_body_of(c.REMOVE_CANDIDATE)
def remove_candidate(_: m.CandidateStep, __: Services) -> m.Done:
    raise _begun_by_an_older_app()


@_body_of(c.APPLY_PLAN)
def apply_plan(command: m.ApplyPlan, s: Services) -> m.Done:
    from activities.apply_plan import apply_plan as body
    from activities.plan_author import require_known_author

    ledger = s.ledger
    require_known_author(command, runs=ledger.runs, actions=ledger.actions)
    return body(
        command,
        desired=ledger.targets,
        images=ledger.built_images,
        runs=ledger.runs,
        actions=ledger.actions,
        targets=s.targets,
        now=datetime.now(UTC),
    )


@_body_of(c.OBSERVE_TARGET)
def observe_target(query: m.ObserveTarget, s: Services) -> m.Serving:
    from activities.observe_target import observe_target as body

    return body(query, known=s.ledger.targets, targets=s.targets, now=datetime.now(UTC))


@_body_of(c.PLAN_RETURN)
def plan_return(query: m.ReturnQuery, s: Services) -> m.ReturnPlan:
    from activities.plan_return import plan_return as body

    return body(query, desired=s.ledger.targets, champions=s.ledger.champions, targets=s.targets)


@_body_of(c.PLAN_ROLL_BACK)
def plan_roll_back(action: m.Action, s: Services) -> m.RollBackPlan:
    from activities.act_by_hand import plan_roll_back as body

    return body(action, desired=s.ledger.targets, images=s.ledger.built_images, runs=s.ledger.runs)


@_body_of(c.CONCLUDE_ACTION)
def conclude_action(action: m.Action, s: Services) -> m.Done:
    from activities.act_by_hand import conclude_action as body

    return body(action, champions=s.ledger.champions, quarantines=s.ledger.quarantines, runs=s.ledger.runs)


@_body_of(c.END_ACTION)
def end_action(end: m.ActionEnd, s: Services) -> m.Done:
    """Record how an action ended; the first end stays."""
    s.ledger.actions.end(end)
    return m.Done()


@_body_of(c.REMOVE_IMAGE)
def remove_image(run: m.TrainingRef, s: Services) -> m.Done:
    from activities.remove_image import remove_image as body

    return body(run, registry=s.container_registry, images=s.ledger.built_images)


@_body_of(c.READ_APPROVAL)
def read_approval(query: m.ApprovalQuery, s: Services) -> m.Approval:
    """The decision on a run's roll-out to a target; ``approved`` is None while there is none and there may be one."""
    from shared.decisions.delivery.approvals import TOO_LATE

    if query.otherwise is None:
        return s.ledger.approvals.of(query.run_id, query.target)
    nobody = m.Approval(
        run_id=query.run_id,
        target=query.target,
        approved=query.otherwise,
        reason=TOO_LATE,
        at=datetime.now(UTC),
    )
    return s.ledger.approvals.decide(nobody)


@_body_of(c.RECORD_RUN)
def record_run(record: m.RunRecord, s: Services) -> m.Done:
    """Record the outcome, and then let the next run of the pipeline deliver."""
    from activities.record_run import record_run as body

    done = body(
        record,
        runs=s.ledger.runs,
        champions=s.ledger.champions,
        listings=s.ledger.listings,
        quarantines=s.ledger.quarantines,
        retries=s.ledger.retries,
    )
    try:  # whatever its stage: who never had it gives nothing back
        s.ledger.computes.give_back(m.delivery_of(record.pipeline), record.run_id, datetime.now(UTC))
    except Exception as error:  # noqa: BLE001 - a run whose outcome is recorded loses its place anyway
        why = shortened(without_queries(error))
        log.warning("run %s keeps the delivery of its pipeline until another asks for it: %s", record.run_id, why)
    return done


@_body_of(c.ISSUE_PASSPORT)
def issue_passport(command: m.IssuePassport, s: Services) -> m.Done:
    from activities.issue_passport import issue_passport as body

    return body(
        command,
        runs=s.ledger.runs,
        registry=s.container_registry,
        signatures=s.image_signatures,
        passports=s.ledger.passports,
    )


@_body_of(c.ANNOUNCE)
def announce(event: m.RunEvent, s: Services) -> m.Done:
    from activities.announce import announce as body

    return body(event, publisher=s.announcements, answers=s.results, subscriptions=s.ledger.outcome_subscriptions)


@_body_of(c.ANNOUNCE_ACTION)
def announce_action(ended: m.EndedAction, s: Services) -> m.Done:
    """Publish how a roll-back or a retirement ended. Safe to repeat: subscribers recognise the id."""
    s.announcements.publish_action(ended)
    return m.Done()
