"""The answers to upstream systems about their requests. Pure.

Answers are sent at least once; a repeat has the same message id, so that the topic's duplicate detection drops it.
"""

import hashlib
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from shared.messages import Admission, AnswerRequest, Outcome, ReplyTo, RunRecord, Stage, Verdict
from shared.values.texts import shortened
from shared.wire_contracts.run_fields import ComparedWith, EndedAt, FormVersion, Image, ModelVersion

LONGEST_MESSAGE_ID = 128  # as Service Bus allows
_LONGEST_REASON = 2000


class AnswerKind(StrEnum):
    """What an answer says.

    ``accepted``: the run is started, or one that trains the same is under way; its ``outcome`` follows.
    ``already_trained``: there is nothing new to train. ``rejected``: the request leads to no run, or is refused.
    ``done``: a run was approved, rejected or cancelled, as was asked.
    """

    ACCEPTED = "accepted"
    ALREADY_TRAINED = "already_trained"
    REJECTED = "rejected"
    OUTCOME = "outcome"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingAnswer:
    """The body of a message in the topic training-results. What is known of the run comes as far as it got."""

    kind: Annotated[AnswerKind, Field(description="what this says; also the message's subject, and its property kind")]
    request_id: Annotated[str, Field(description="the request's MessageId, or its place in the queue when it had none")]
    correlation_id: Annotated[str, Field(description="the request's; its MessageId when it had none")]
    reply_to: Annotated[str, Field(description="the request's; empty when it had none")] = ""
    pipeline: Annotated[str, Field(description="the pipeline; empty when the request was not understood")]
    reason: Annotated[str, Field(description="a sentence for people: why, and what to do about it")]
    run_id: Annotated[str | None, Field(description="the run; null when there is none")] = None
    outcome: Annotated[Outcome | None, Field(description="how the run ended; null while it is under way")] = None
    stage: Annotated[Stage | None, Field(description="where the run ended, or where it failed")] = None
    ended_at: EndedAt = None
    metrics: Annotated[
        dict[str, float] | None, Field(description="what the model achieves on the hold-out; null without one")
    ] = None
    champion_run_id: ComparedWith = None
    model: Annotated[str | None, Field(description="name in the Azure ML registry, if it was registered")] = None
    version: ModelVersion = None
    image: Image = None
    schema: FormVersion = 1


def rejection(reply: ReplyTo, pipeline: str, reason: str) -> TrainingAnswer:
    """The request leads to no run."""
    return _answer(AnswerKind.REJECTED, reply, pipeline, reason)


def done(reply: ReplyTo, pipeline: str, run_id: str, sentence: str) -> TrainingAnswer:
    """What was asked about a run is done."""
    return _answer(AnswerKind.DONE, reply, pipeline, sentence, run_id=run_id)


def outcome_of(reply: ReplyTo, record: RunRecord) -> TrainingAnswer:
    """The run has ended."""
    return _about(record, _answer(AnswerKind.OUTCOME, reply, record.pipeline, record.reason))


def answer_to(asked: AnswerRequest, reply: ReplyTo, record: RunRecord | None) -> TrainingAnswer:
    """The first answer to a request; ``record``: of the run that the admission names, if there is one."""
    pipeline, admission = asked.request.pipeline, asked.admission
    if admission is None:
        return rejection(reply, pipeline, asked.rejected)
    answer = _answer(_kind(admission), reply, pipeline, admission.reason, run_id=admission.run_id)
    if answer.kind is AnswerKind.ALREADY_TRAINED and record is not None:
        return _about(record, answer)
    return answer


def outcome_is_awaited(admission: Admission) -> bool:
    """Whether the outcome of the admission's run is sent to the requester later."""
    return admission.run_id is not None and _kind(admission) is AnswerKind.ACCEPTED


def message_id(answer: TrainingAnswer) -> str:
    """The same for every repeat of an answer."""
    name = f"{answer.request_id}-{answer.kind}"
    if len(name) <= LONGEST_MESSAGE_ID:
        return name
    return f"{hashlib.sha256(answer.request_id.encode('utf-8')).hexdigest()}-{answer.kind}"


def _kind(admission: Admission) -> AnswerKind:
    match admission.verdict:
        case Verdict.TRAINED:
            return AnswerKind.ACCEPTED
        case Verdict.UNCHANGED:
            return AnswerKind.ALREADY_TRAINED
        case _:
            return AnswerKind.REJECTED


def _answer(
    kind: AnswerKind, reply: ReplyTo, pipeline: str, reason: str, *, run_id: str | None = None
) -> TrainingAnswer:
    return TrainingAnswer(
        kind=kind,
        request_id=reply.message_id,
        pipeline=pipeline,
        reason=shortened(reason, _LONGEST_REASON),
        correlation_id=reply.correlation_id or reply.message_id,
        reply_to=reply.reply_to,
        run_id=run_id,
    )


def _about(record: RunRecord, answer: TrainingAnswer) -> TrainingAnswer:
    return replace(
        answer,
        run_id=record.run_id,
        outcome=record.outcome,
        stage=record.stage,
        ended_at=record.ended_at,
        metrics=record.metrics or None,
        champion_run_id=record.champion_run_id,
        model=record.model,
        version=record.version,
        image=record.image,
    )
