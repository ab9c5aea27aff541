from dataclasses import dataclass, field

import pytest

from activities.announce import announce
from shared.errors import Code, PermanentError, TransientError
from shared.messages import Done, Outcome, ReplyTo, RunEvent, RunEventKind, RunRecord
from tests.support.arrivals import a_run_record
from tests.support.workflow import START

ONE, TWO = ReplyTo(message_id="one"), ReplyTo(message_id="two", correlation_id="assay-17")


@dataclass
class World:
    """All who listen; keeps what they were told, and fails where a test wants it."""

    waiting: list[ReplyTo] = field(default_factory=lambda: [ONE, TWO])
    published: list[RunEvent] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    no_publishing: Exception | None = None
    no_answering: str = ""

    def publish(self, event: RunEvent) -> None:
        if self.no_publishing:
            raise self.no_publishing
        self.published.append(event)

    def outcome(self, reply: ReplyTo, record: RunRecord) -> None:
        if reply.message_id == self.no_answering:
            raise TransientError("Service Bus did not answer")
        assert record.outcome is Outcome.FAILED
        self.sent.append(reply.message_id)

    def subscribers(self, run_id: str) -> list[ReplyTo]:
        assert run_id == a_run_record().run_id
        return list(self.waiting)

    def answered(self, run_id: str, reply: ReplyTo) -> None:
        self.waiting.remove(reply)

    def announce(self, kind: RunEventKind = RunEventKind.FAILED) -> Done:
        record = a_run_record(outcome=Outcome.FAILED if kind.final else None)
        event = RunEvent(kind=kind, occurred_at=START, record=record)
        return announce(event, publisher=self, answers=self, subscriptions=self)


def test_the_end_is_published_and_all_who_asked_are_answered_once() -> None:
    world = World()

    assert world.announce() == Done()
    world.announce()

    assert [event.kind for event in world.published] == [RunEventKind.FAILED] * 2
    assert world.sent == ["one", "two"]
    assert world.waiting == []


@pytest.mark.parametrize("kind", [kind for kind in RunEventKind if not kind.final])
def test_before_the_end_nobody_is_answered(kind: RunEventKind) -> None:
    world = World()
    world.announce(kind)

    assert [event.kind for event in world.published] == [kind]
    assert world.sent == []


@pytest.mark.parametrize("trouble", [TransientError("no answer"), PermanentError("key", code=Code.BAD_CONFIGURATION)])
def test_a_topic_that_takes_nothing_keeps_nobody_from_an_answer_and_is_reported(trouble: Exception) -> None:
    world = World(no_publishing=trouble)

    with pytest.raises(type(trouble)):
        world.announce()
    assert world.sent == ["one", "two"]


def test_those_who_could_not_be_answered_are_still_waiting() -> None:
    world = World(no_answering="two")

    with pytest.raises(TransientError):
        world.announce()
    assert (world.sent, world.waiting) == (["one"], [TWO])
    assert len(world.published) == 1

    world.no_answering = ""
    world.announce()
    assert world.sent == ["one", "two"]
