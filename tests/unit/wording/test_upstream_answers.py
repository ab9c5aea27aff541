"""What the senders of training requests are answered over Service Bus."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from orchestrations.request_run import request_run
from shared.decisions.admission.repeats import Refusal, decide_attempt, nothing_new
from shared.decisions.training.compute_queue import QueueState, ask
from shared.errors import Code
from shared.messages import (
    Admission,
    AdmissionRequest,
    AnswerRequest,
    Cause,
    Done,
    Outcome,
    QueuePolicy,
    QueueRule,
    ReplyTo,
    RunRecord,
    TargetResult,
    TrainingEnd,
    TrainingPhase,
    Verdict,
)
from shared.values.wire import from_wire, to_wire
from shared.wire_contracts.training_answers import TrainingAnswer, answer_to, outcome_of
from tests.support.arrivals import a_run_record
from tests.support.blob_evidence import QUARANTINED
from tests.support.computes import a_ticket
from tests.support.golden import compare
from tests.support.retraining import compared, fair_story
from tests.support.workflow import START, play, refusal, value
from tests.unit.function_app.intake.test_training_requests import App, a_message

REPLY = ReplyTo(message_id="message-1")
REQUEST = AdmissionRequest(
    pipeline="breast-cancer", cause=Cause.UPSTREAM, requested_by="bus-1", requested_at=START, reply=REPLY
)


def told(answer: TrainingAnswer) -> str:
    return f"({answer.kind}{f', {answer.outcome}' if answer.outcome else ''}) {answer.reason}"


def answered(*admission: Any) -> str:
    """The answer when an admission ends like this."""
    answers: dict[str, Any] = {"admit_run": list(admission), "answer_request": value(Done()), "retrain_model": {}}
    played = play(request_run, REQUEST, answers=answers)
    asked = from_wire(AnswerRequest, played.commands["answer_request"][0])
    return told(answer_to(asked, REPLY, None))


def refused(*attempts: RunRecord, **changes: Any) -> str:
    decision = decide_attempt(attempts, **changes)
    assert isinstance(decision, Refusal)
    return answered(admitted(decision.verdict, decision.run_id, decision.reason))


def admitted(verdict: Verdict, run_id: str | None, reason: str) -> Any:
    return value(Admission(start=False, run_id=run_id, verdict=verdict, reason=reason))


def ended(**answers: Any) -> str:
    """The outcome of a run whose steps are answered like this."""
    _, record = fair_story(**answers)
    return told(outcome_of(REPLY, record))


def training_ended(phase: TrainingPhase, reason: str = "") -> Any:
    return to_wire(TrainingEnd(phase=phase, reason=reason))


def superseded() -> Any:
    """The turn of a run whose place in the queue a newer one takes."""
    old = replace(a_ticket("old"), rule=QueueRule(policy=QueuePolicy.LATEST_WINS))
    later = START + timedelta(days=1)
    busy, _ = ask(QueueState(), a_ticket("a"), 1, START)
    waiting, _ = ask(busy, old, 1, START)
    raced, _ = ask(waiting, replace(old, run_id="new", asked_at=later), 1, later)
    _, turn = ask(raced, old, 1, later)
    return to_wire(turn)


def test_answers_to_requests() -> None:
    run_id = "breast-cancer-abababababab-1"
    nothing = nothing_new(run_id)
    sentences = {
        "accepted": answered(
            value(
                Admission(start=False, run_id=run_id, verdict=Verdict.TRAINED, reason=f"run {run_id} trains on 3 files")
            )
        ),
        "accepted, the same is being trained": refused(a_run_record(outcome=None)),
        "trained before, promoted": refused(a_run_record(outcome=Outcome.PROMOTED)),
        "trained before, not promoted": refused(a_run_record(outcome=Outcome.NOT_PROMOTED)),
        "no new file": answered(admitted(nothing.verdict, nothing.run_id, nothing.reason)),
        "quarantined": refused(a_run_record(outcome=Outcome.FAILED), quarantine=QUARANTINED),
        "no data": answered(admitted(Verdict.REJECTED, None, "site factory has no hold-out b/holdout.csv; upload it")),
        "the settings are wrong": answered(refusal(Code.BAD_CONFIGURATION, "(what is wrong, and what to do)")),
        "the admission's tries failed": answered(Exception("the ledger's table x answered 503")),
    }

    compare("upstream_answers", "The first answer to a training request, with its kind.", sentences)


def test_rejected_messages() -> None:
    bodies: dict[str, Any] = {
        "not JSON": b"please train everything",
        "not an object": b"[1]",
        "too large": b" " * 9000,
        "a key twice": b'{"schema": 1, "schema": 1}',
        "another version": {"schema": 2},
        "no pipeline": b'{"schema": 1}',
        "an unknown field": {"colour": "red"},
        "a field of another type": {"force": "yes"},
        "an address as reply_to": {"reply_to": "https://lab.example/?sig=x"},
        "an unknown pipeline": {"pipeline": "unheard-of"},
        "an undeclared parameter": {"parameters": {"depth": 3}},
        "a parameter of another type": {"parameters": {"inverse_regularisation": "much"}},
    }
    properties: dict[str, Any] = {
        "a MessageId that is too long": {"message_id": "m" * 129},
        "a CorrelationId that is too long": {"correlation_id": "c" * 257},
        "an address as ReplyTo": {"reply_to": "sb://lab;key=x"},
    }
    messages = {case: a_message(body) for case, body in bodies.items()}
    messages |= {case: a_message(**given) for case, given in properties.items()}
    sentences = {}
    for case, message in messages.items():
        app = App()
        app.start_or_reject(message)
        (answer,) = app.results.answers
        sentences[case] = told(answer)
    app = App()
    app.start_or_reject(a_message(), a_message())
    assert app.results.answers == []
    app.start_or_reject(a_message({"force": True}))
    sentences["a MessageId that was used for another request"] = told(app.results.answers[0])

    compare("upstream_rejections", "The answer to a message that can never work; a duplicate gets none.", sentences)


def test_outcomes() -> None:
    undelivered = to_wire(TargetResult(target="hub-vm", deployed=False, reason="(why)"))
    down = Exception("Activity function 'collect_training' failed: TransientError: Azure ML answered 503")
    sentences = {
        "promoted": ended(),
        "not better": ended(collect_training=compared(metrics={"accuracy": 0.96})),
        "superseded by newer data": ended(await_compute=superseded()),
        "cancelled": ended(await_training=training_ended(TrainingPhase.CANCELLED)),
        "the training failed": ended(await_training=training_ended(TrainingPhase.FAILED, "(why)")),
        "a cause outside": ended(collect_training=down),
        "the settings are wrong": ended(build_image=refusal(Code.REGISTRY_REFUSED, "(why, and what to do)")),
        "not rolled out anywhere": ended(roll_out=undelivered),
        "a fault of the app": ended(collect_training={"value": {"run_id": 7}}),
    }

    compare("upstream_outcomes", "The answer when the run has ended, with its outcome.", sentences)
