"""Messages of upstream systems over a real ledger in memory: each starts one request, whatever is delivered twice."""

import asyncio
import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.functions.servicebus import ServiceBusMessage
from hypothesis import given
from hypothesis import strategies as st

from function_app.intake import training_requests as upstream
from function_app.intake.training_requests import envelope_of, start_or_reject
from function_app.triggers.training_requests import CONNECTION
from shared.clients.service_bus import RejectedMessage
from shared.errors import Code, PermanentError, TransientError
from shared.messages import DELIVERY_SCHEMA, AdmissionRequest, ApprovalRule, Cause, DeliveryRule, ReplyTo
from shared.settings import SERVICE_BUS_SETTING
from shared.values.wire import from_wire
from shared.wire_contracts.training_answers import AnswerKind, TrainingAnswer
from shared.wire_contracts.training_requests import Envelope, key_of, request_from
from tests.support.api import MemoryServices
from tests.support.builders import a_plan, a_run_request
from tests.support.durable_client import Instance, MemoryClient, RuntimeStatus
from tests.support.examples import examples
from tests.support.workflow import START

BODY = {"schema": 1, "pipeline": "breast-cancer"}


@dataclass
class Results:
    """Keeps what was sent. ``trouble``: what the broker raises."""

    answers: list[TrainingAnswer] = field(default_factory=list)
    quarantined: list[RejectedMessage] = field(default_factory=list)
    trouble: Exception | None = None

    def send(self, answer: TrainingAnswer) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.answers.append(answer)

    def quarantine(self, message: RejectedMessage) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.quarantined.append(message)


class App:
    """What a delivery meets."""

    def __init__(self) -> None:
        self.services = MemoryServices()
        self.results = Results()
        self.services.__dict__["results"] = self.results
        self.client = MemoryClient()

    async def deliver(self, *messages: Envelope) -> list[BaseException | None]:
        """Deliver at the same time; what the function raised for each."""
        now = datetime.now(UTC)
        taken = (start_or_reject(message, self.services, self.client, now) for message in messages)
        return await asyncio.gather(*taken, return_exceptions=True)

    def start_or_reject(self, *messages: Envelope) -> None:
        for trouble in asyncio.run(self.deliver(*messages)):
            if trouble is not None:
                raise trouble


@pytest.fixture
def app() -> App:
    return App()


def a_message(body: object = None, /, **properties: Any) -> Envelope:
    content = body if isinstance(body, bytes) else json.dumps(BODY | (body if isinstance(body, dict) else {})).encode()
    return Envelope(**{"body": content, "message_id": "message-1"} | properties)


def test_a_message_starts_one_request(app: App) -> None:
    message = a_message({"reason": "assay 17", "correlation_id": "c-1"})

    app.start_or_reject(message)

    (instance_id,) = app.client.started
    instance = app.client.instances[instance_id]
    assert (instance.name, instance_id) == ("request_run", f"bus-{key_of(message)}")
    request = from_wire(AdmissionRequest, instance.given)
    assert (request.pipeline, request.cause, request.note) == ("breast-cancer", Cause.UPSTREAM, "assay 17")
    assert request.requested_by == instance_id
    assert request.reply == ReplyTo(message_id="message-1", correlation_id="c-1")
    assert app.results.answers == []


def test_a_message_that_comes_again_starts_nothing(app: App) -> None:
    app.start_or_reject(a_message())
    app.start_or_reject(a_message())

    assert len(app.client.started) == 1


def test_nor_when_its_request_ended_long_ago_and_was_forgotten(app: App) -> None:
    app.start_or_reject(a_message())
    app.client.instances.clear()

    app.start_or_reject(a_message())

    assert len(app.client.started) == 1


def test_nor_when_it_is_delivered_twice_at_the_same_time(app: App) -> None:
    app.start_or_reject(*[a_message()] * 5)

    assert len(app.client.started) == 1


def test_nor_when_the_first_delivery_is_slow_and_its_request_quick(app: App) -> None:
    class SlowToStart(MemoryClient):
        """Starts nothing before both deliveries have asked; and what it starts has ended at once."""

        def __init__(self) -> None:
            super().__init__()
            self.asked, self.both_asked = 0, asyncio.Event()

        async def get_status(self, instance_id: str) -> Instance:
            self.asked += 1
            if self.asked == 2:
                self.both_asked.set()
            return await super().get_status(instance_id)

        async def start_new(self, name: str, instance_id: str, given: Any) -> str:
            await self.both_asked.wait()
            self.started.append(instance_id)
            self.ended(instance_id, {"failed": "x"})
            return instance_id

    app.client = SlowToStart()

    app.start_or_reject(a_message(), a_message())

    assert len(app.client.started) == 1


def test_a_request_whose_claimant_died_is_started_by_the_next_delivery(app: App) -> None:
    message = a_message()
    key = key_of(message)
    asked_at = datetime.now(UTC) - timedelta(seconds=upstream.CLAIMANT_SECONDS)
    digest = request_from(message).digest
    app.services.ledger.requests.claim("bus", key, body_digest=digest, instance_id=f"bus-{key}", at=asked_at)

    app.start_or_reject(message)

    assert app.client.started == [f"bus-{key}"]
    assert from_wire(AdmissionRequest, app.client.instances[f"bus-{key}"].given).requested_at == asked_at
    assert app.services.ledger.requests.claim("bus", key, body_digest="", instance_id="", at=START).started


def test_a_start_that_fails_is_made_by_the_next_delivery(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(MemoryClient):
        async def start_new(self, name: str, instance_id: str, given: Any) -> str:
            raise Exception("500: the host is stopping")

    monkeypatch.setattr(upstream, "CLAIMANT_SECONDS", 0.2)
    app.client = Broken()
    with pytest.raises(Exception, match="500"):
        app.start_or_reject(a_message())

    app.client = MemoryClient()
    app.start_or_reject(a_message())

    assert len(app.client.started) == 1


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"garbage", "the body is not JSON in UTF-8"),
        ({"pipeline": "unheard-of"}, "there is no pipeline 'unheard-of'; known: "),
        ({"parameters": {"unheard_of": 1}}, "parameters: 'unheard_of' is not declared"),
        ({"parameters": {"inverse_regularisation": "much"}}, "parameters: inverse_regularisation must be of kind"),
    ],
)
def test_what_can_never_work_is_answered_and_quarantined(app: App, body: object, reason: str) -> None:
    message = a_message(body, correlation_id="c-1")

    app.start_or_reject(message)

    (answer,), (rejected,) = app.results.answers, app.results.quarantined
    assert (answer.kind, answer.request_id, answer.correlation_id) == (AnswerKind.REJECTED, "message-1", "c-1")
    assert answer.reason.startswith(reason)
    assert (rejected.body, rejected.reason) == (message.body, answer.reason)
    assert rejected.reply == ReplyTo(message_id="message-1", correlation_id="c-1")
    assert app.client.started == []


def test_a_rejection_names_the_pipeline_as_far_as_it_is_known(app: App) -> None:
    app.start_or_reject(a_message({"parameters": {"x": 1}}), a_message(b"garbage"))

    assert [answer.pipeline for answer in app.results.answers] == ["breast-cancer", ""]


def test_an_id_that_was_used_for_another_request_is_not_taken_for_a_repeat(app: App) -> None:
    app.start_or_reject(a_message())
    app.start_or_reject(a_message({"force": True}))

    (answer,) = app.results.answers
    assert answer.kind is AnswerKind.REJECTED
    assert answer.reason.startswith("MessageId 'message-1' was used before, for another request")
    assert len(app.results.quarantined) == 1
    assert len(app.client.started) == 1


@pytest.mark.parametrize(
    "trouble", [TransientError("the broker is away"), PermanentError("create it", code=Code.BAD_CONFIGURATION)]
)
def test_a_rejection_that_cannot_be_answered_is_raised_so_that_the_broker_keeps_the_message(
    app: App, trouble: Exception
) -> None:
    app.results.trouble = trouble

    with pytest.raises(type(trouble)):
        app.start_or_reject(a_message(b"garbage"))


def test_trouble_of_our_own_is_raised_and_no_reason_to_reject(app: App) -> None:
    def away(operation: str) -> None:
        raise PermanentError("the key of the ledger is wrong", code=Code.BAD_CONFIGURATION)

    app.services.ledger._tables.table("requests").before = away  # type: ignore[attr-defined]

    with pytest.raises(PermanentError, match="the key of the ledger is wrong"):
        app.start_or_reject(a_message())

    assert app.results.answers == []
    assert app.results.quarantined == []


messages = st.builds(
    lambda number, body: a_message(body, message_id=f"message-{number}"),
    st.integers(0, 3),
    st.sampled_from([{}, {"force": True}, {"pipeline": "digits"}, {"pipeline": "unheard-of"}, b"garbage", b""]),
)


@examples(30)
@given(st.lists(messages, max_size=8), st.booleans())
def test_every_message_leads_to_a_request_or_an_answer_and_every_id_to_one_request_at_most(
    sent: list[Envelope], together: bool
) -> None:
    app = App()
    if together:
        app.start_or_reject(*sent)
    else:
        for message in sent:
            app.start_or_reject(message)

    assert len(app.client.started) == len(set(app.client.started))
    asked = {message.message_id for message in sent if b"unheard" not in message.body and b"{" in message.body}
    assert set(app.client.started) == {f"bus-{key_of(a_message(message_id=each))}" for each in asked}
    answered = {answer.request_id for answer in app.results.answers}
    assert answered | asked == {message.message_id for message in sent}
    assert len(app.results.answers) == len(app.results.quarantined)


def test_a_message_is_read_as_the_host_hands_it_over() -> None:
    handed = ServiceBusMessage(
        body=b"\xff",
        message_id="m",
        correlation_id="c",
        reply_to="r",
        sequence_number=7,
        enqueued_time_utc=START,
        application_properties={},
        user_properties={},
    )
    bare = ServiceBusMessage(body=b"", message_id=None, application_properties={}, user_properties={})

    full = Envelope(
        body=b"\xff", message_id="m", correlation_id="c", reply_to="r", sequence_number=7, enqueued_at=START
    )
    assert envelope_of(handed) == full
    assert envelope_of(bare) == Envelope(body=b"")


def test_the_trigger_reads_the_setting_that_the_app_sends_with() -> None:
    assert CONNECTION == SERVICE_BUS_SETTING


RUN = a_run_request(schema=DELIVERY_SCHEMA, plan=a_plan(delivery=DeliveryRule(approval=ApprovalRule())))


@pytest.fixture
def waiting(app: App) -> App:
    """A run whose roll-out waits for somebody's decision."""
    app.services.ledger.runs.claim_run(RUN)
    status = Instance(runtime_status=RuntimeStatus.Running, custom_status={"stage": "rolling_out"})
    app.client.instances[RUN.run_id] = status
    return app


def about(action: str, message_id: str = "message-1", **fields: Any) -> Envelope:
    return a_message({"action": action, "run_id": RUN.run_id, **fields}, message_id=message_id)


@pytest.mark.parametrize(("action", "approved"), [("approve", True), ("reject", False)])
def test_a_message_decides_about_a_roll_out_and_is_answered(waiting: App, action: str, *, approved: bool) -> None:
    message = about(action, reason="seen by the board", reply_to="board")

    waiting.start_or_reject(message, message)
    waiting.start_or_reject(message)

    kept = waiting.services.ledger.approvals.of(RUN.run_id, "hub-vm")
    assert (kept.approved, kept.reason) == (approved, "seen by the board")
    assert "message-1" in kept.by
    assert "not a person" in kept.by
    assert {(answer.kind, answer.run_id, answer.reply_to) for answer in waiting.results.answers} == {
        (AnswerKind.DONE, RUN.run_id, "board")
    }
    assert waiting.results.quarantined == []


def test_a_message_cancels_a_run(waiting: App) -> None:
    waiting.start_or_reject(about("cancel", reason="the plant stopped"))

    assert waiting.client.started == [f"{RUN.run_id}-wind-up"]
    kept = waiting.services.ledger.runs.cancellation(RUN.run_id)
    assert kept is not None
    assert (kept.reason, kept.by.name) == ("the plant stopped", "message-1")
    (answer,) = waiting.results.answers
    assert answer.kind is AnswerKind.DONE


def test_what_may_not_be_is_answered_and_quarantined(waiting: App) -> None:
    waiting.start_or_reject(about("approve"))
    waiting.start_or_reject(about("reject", "message-2", reason="too late"))
    waiting.start_or_reject(about("cancel", "message-3", pipeline="digits"))
    waiting.start_or_reject(a_message({"action": "cancel", "run_id": "none-1"}, message_id="message-4"))

    kinds = [answer.kind for answer in waiting.results.answers]
    assert kinds == [AnswerKind.DONE, *[AnswerKind.REJECTED] * 3]
    assert len(waiting.results.quarantined) == 3
    assert waiting.services.ledger.approvals.of(RUN.run_id, "hub-vm").approved is True


@pytest.mark.parametrize(
    "fields",
    [
        {"action": "destroy", "run_id": "a-1"},
        {"action": "approve"},
        {"action": "cancel", "run_id": "a-1", "target": "hub-vm"},
        {"action": "reject", "run_id": "a-1"},
        {"action": "cancel", "run_id": "a-1", "force": True},
        {"action": "cancel", "run_id": "../x"},
        {"run_id": "a-1"},
        {"target": "hub-vm"},
    ],
)
def test_fields_that_do_not_go_together_are_refused(app: App, fields: dict[str, Any]) -> None:
    app.start_or_reject(a_message(fields))

    (answer,) = app.results.answers
    assert answer.kind is AnswerKind.REJECTED
    assert app.client.started == []


def test_a_request_to_train_has_the_digest_that_it_always_had() -> None:
    asked = {"pipeline": "breast-cancer", "parameters": {}, "force": False, "reason": ""}

    expected = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()

    assert request_from(a_message()).digest == request_from(a_message({"action": "train"})).digest == expected
