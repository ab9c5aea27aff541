"""From a message of an upstream system to what it asks for, and to whom it is answered. Pure.

A message may be anything. It is understood, or a :class:`PermanentError` says which field is wrong and what to do.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationError, WithJsonSchema
from pydantic_core import from_json

from shared.errors import Code, PermanentError
from shared.messages import AdmissionRequest, Cause, Parameters, ReplyTo
from shared.values.fields import FORCE, OVERRIDES, REASON, Note, ParameterValue, known_fields, trouble_in
from shared.values.json_text import UTF8_MARK, NotJsonError, read_json

SCHEMA: Final = 1
LARGEST_BODY: Final = 8 * 1024  # bytes; what is kept of it must fit into one value of the ledger's tables
LONGEST_MESSAGE_ID: Final = 128  # as Service Bus allows
LONGEST_LABEL: Final = 256

_LABEL = r"^[A-Za-z0-9_.:/$~+-]*$"
_LABEL_RULE = "at most 256 letters, digits and . _ : / $ ~ + -"


def _schema(value: object) -> int:
    if isinstance(value, bool) or value != SCHEMA:
        raise ValueError(f"must be {SCHEMA}, the only version there is")
    return SCHEMA


class Wish(StrEnum):
    """What a message asks for. ``TRAIN``: a run of the pipeline. The others are about one run of it."""

    TRAIN = "train"
    APPROVE = "approve"
    REJECT = "reject"
    CANCEL = "cancel"


class TrainingRequest(BaseModel):
    """The body of a message in the queue training-requests: train what lies in a pipeline's container now.

    Or, with ``action``: approve, reject or cancel a run.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    version: Annotated[int, PlainValidator(_schema), WithJsonSchema({"const": SCHEMA})] = Field(
        alias="schema", description="version of this format"
    )
    pipeline: str = Field(min_length=1, max_length=200, description="name of the pipeline")
    reason: Note = Field("", description=REASON)
    parameters: dict[Annotated[str, Field(max_length=100)], ParameterValue] = Field(
        default_factory=dict,
        max_length=100,
        description=OVERRIDES,
    )
    force: bool = Field(default=False, description=FORCE)
    correlation_id: str = Field(
        "", max_length=LONGEST_LABEL, description="answers carry it; default: the message's own, then its MessageId"
    )
    reply_to: str = Field(
        "",
        max_length=LONGEST_LABEL,
        json_schema_extra={"pattern": _LABEL},
        description="answers carry it as their To, for filters of subscriptions; default: the message's own ReplyTo."
        " A name, never an address with a secret in it",
    )
    action: Annotated[Wish, Field(strict=False)] = Field(
        Wish.TRAIN, description="train; or approve, reject or cancel the run of run_id"
    )
    run_id: str = Field(
        "", max_length=100, json_schema_extra={"pattern": "^[a-z0-9-]*$"}, description="the run; not with train"
    )
    target: str = Field(
        "", max_length=48, description="approve or reject for this target only; default: every one that waits"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A message as it was received: its body, and those of its properties that count."""

    body: bytes
    message_id: str = ""
    correlation_id: str = ""
    reply_to: str = ""
    sequence_number: int = 0
    enqueued_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamRequest:
    """What a message asks for. ``digest`` is the same for messages that ask for the same."""

    pipeline: str
    reply: ReplyTo
    parameters: Parameters
    force: bool
    note: str
    digest: str
    action: Wish = Wish.TRAIN
    run_id: str = ""
    target: str = ""


def request_from(message: Envelope) -> UpstreamRequest:
    """What a message asks for; raises :class:`PermanentError` naming what is wrong and the remedy."""
    body = _body_of(message)
    _check_properties(message)
    if not _is_label(body.reply_to):
        raise _bad(f"reply_to must have {_LABEL_RULE}; it is a name, not an address")
    _check_action(body)
    asked: dict[str, Any] = {
        "pipeline": body.pipeline,
        "parameters": body.parameters,
        "force": body.force,
        "reason": body.reason,
    }
    if body.action is not Wish.TRAIN:  # the digest of a request to train is the same as ever
        asked |= {"action": body.action, "run_id": body.run_id, "target": body.target}
    return UpstreamRequest(
        pipeline=body.pipeline,
        reply=reply_of(message),
        parameters=body.parameters,
        force=body.force,
        note=body.reason,
        digest=hashlib.sha256(json.dumps(asked, sort_keys=True).encode("utf-8")).hexdigest(),
        action=body.action,
        run_id=body.run_id,
        target=body.target,
    )


def reply_of(message: Envelope) -> ReplyTo:
    """To whom a message is answered, whatever else is wrong with it; what is no fit label is left out.

    What the body says counts more than the message's own properties.
    """
    said = _said(message.body)
    return ReplyTo(
        message_id=identity_of(message),
        correlation_id=_first(_is_text, said.get("correlation_id"), message.correlation_id),
        reply_to=_first(_is_label, said.get("reply_to"), message.reply_to),
    )


def identity_of(message: Envelope) -> str:
    """What tells a message from others: its MessageId, or where in the queue it came, which a redelivery keeps."""
    if not message.message_id:
        at = f"-{message.enqueued_at.astimezone(UTC):%Y%m%dT%H%M%S%f}" if message.enqueued_at else ""
        return f"sequence-{message.sequence_number}{at}"
    if _is_text(message.message_id) and len(message.message_id) <= LONGEST_MESSAGE_ID:
        return message.message_id
    return f"sha256-{_sha256(message.message_id)}"


def key_of(message: Envelope) -> str:
    """The same for every delivery of a message, short, and safe as a part of names: 32 hex characters."""
    return _sha256(identity_of(message))[:32]


def admission_request(asked: UpstreamRequest, instance_id: str, asked_at: datetime) -> AdmissionRequest:
    """The request for admission; ``instance_id`` names the orchestration that owns it."""
    return AdmissionRequest(
        pipeline=asked.pipeline,
        cause=Cause.UPSTREAM,
        requested_by=instance_id,
        requested_at=asked_at,
        parameters=asked.parameters,
        force=asked.force,
        note=asked.note,
        reply=asked.reply,
    )


def _body_of(message: Envelope) -> TrainingRequest:
    if len(message.body) > LARGEST_BODY:
        raise _bad(f"the body has {len(message.body)} bytes, and at most {LARGEST_BODY} are taken; send names, no data")
    fields = known_fields(TrainingRequest)
    try:
        return TrainingRequest.model_validate_json(json.dumps(read_json(message.body)))
    except NotJsonError as error:
        if error.field:
            raise _bad(str(error)) from None
        raise _bad(f"the body is not JSON in UTF-8 ({error}); send an object with these fields: {fields}") from None
    except ValidationError as error:
        kind, _, sentence = trouble_in(error, TrainingRequest)
    if kind == "model_type":
        raise _bad(f"the body must be a JSON object with these fields: {fields}")
    raise _bad(sentence)


def _check_action(body: TrainingRequest) -> None:
    """Fields that mean nothing for what is asked are refused: whoever sent them meant something else."""
    if body.action is Wish.TRAIN:
        for name in ("run_id", "target"):
            if getattr(body, name):
                raise _bad(f"{name} is only for action approve, reject or cancel; leave it out, or name the action")
        return
    if not re.fullmatch(r"[a-z0-9-]{1,100}", body.run_id):
        raise _bad(f"run_id must name the run to {body.action.value}: lower-case letters, digits and hyphens")
    if body.parameters or body.force:
        raise _bad("parameters and force are only for action train; leave them out")
    if body.target and body.action is Wish.CANCEL:
        raise _bad("target is only for action approve or reject; a run is cancelled as a whole")
    if body.action is Wish.REJECT and not body.reason:
        raise _bad("reason is missing; say why the run is rejected")


def _check_properties(message: Envelope) -> None:
    """The properties count as much as the body: what cannot be kept of them must not get lost without a word."""
    if len(message.message_id) > LONGEST_MESSAGE_ID or not _is_text(message.message_id):
        raise _bad(f"MessageId must have at most {LONGEST_MESSAGE_ID} characters; make it shorter")
    if message.correlation_id and not _is_text(message.correlation_id):
        raise _bad(f"CorrelationId must have at most {LONGEST_LABEL} characters; make it shorter")
    if not _is_label(message.reply_to):
        raise _bad(f"ReplyTo must have {_LABEL_RULE}; it is a name, not an address")


def _said(body: bytes) -> Mapping[str, Any]:
    """The object in the body as far as it is one."""
    if len(body) > LARGEST_BODY:
        return {}
    try:
        said = from_json(body.removeprefix(UTF8_MARK))
    except ValueError:
        return {}
    return said if isinstance(said, Mapping) else {}


def _first(fits: Callable[[str], bool], *choices: object) -> str:
    return next((text for text in choices if isinstance(text, str) and text and fits(text)), "")


def _is_text(text: str) -> bool:
    # Half a character (a lone surrogate) is text to Python, but to nothing after us.
    return len(text) <= LONGEST_LABEL and text.encode("utf-8", "replace").decode("utf-8") == text


def _is_label(text: str) -> bool:
    """Whether it can be kept and sent on: what has the form of an address with a key or a signature cannot."""
    return len(text) <= LONGEST_LABEL and re.fullmatch(_LABEL, text) is not None


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


def _bad(sentence: str) -> PermanentError:
    return PermanentError(sentence, code=Code.BAD_REQUEST)
