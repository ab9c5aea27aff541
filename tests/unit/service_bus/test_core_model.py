"""The core against a model: whatever happens, in whatever order, nothing is lost and nothing is held by two at once."""

import uuid
from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from local_stack.service_bus.journal import SqliteJournal
from local_stack.service_bus.queues import LockLostError
from tests.support.examples import examples
from tests.unit.service_bus.broker import Clock, draft, entities, queue

LOCK, MAX_DELIVERIES, WINDOW = 30.0, 3, 60.0
ENTITIES = entities(queue(RequiresDuplicateDetection=True, DuplicateDetectionHistoryTimeWindow="PT1M"))


@dataclass
class Known:
    """What the model thinks of one message that waits, is locked, or is a dead letter."""

    failures: int = 0
    locked_until: float | None = None
    dead: bool = False


class BrokerMachine(RuleBasedStateMachine):
    """Two receivers' worth of tokens, a clock that moves, and restarts at any moment."""

    tokens: Bundle[tuple[uuid.UUID, str]] = Bundle("tokens")

    @initialize()
    def start(self) -> None:
        self.clock = Clock()
        self.journal = SqliteJournal(":memory:")
        self.sent = 0
        self.known: dict[str, Known] = {}
        self.holders: dict[str, uuid.UUID] = {}
        self.ids: dict[str, float] = {}
        self.open()

    def open(self) -> None:
        self.broker = ENTITIES.broker(self.journal, self.clock)
        self.orders, self.dead = self.broker.queue("orders"), self.broker.queue("orders/$DeadLetterQueue")

    @rule(ids=st.lists(st.sampled_from(["a", "b", None]), min_size=1, max_size=3))
    def send(self, ids: list[str | None]) -> None:
        drafts = []
        for message_id in ids:
            self.sent += 1
            name = f"m{self.sent}"
            drafts.append(draft(name, message_id=message_id))
            if message_id is None or self.ids.get(message_id, 0.0) <= self.clock.now:
                self.known[name] = Known()
                if message_id is not None:
                    self.ids[message_id] = self.clock.now + WINDOW
        self.broker.inbox("orders").send(drafts)

    @rule(target=tokens, limit=st.integers(1, 3))
    def receive(self, limit: int):  # type: ignore[no-untyped-def]  # what multiple() gives has no public type
        self.lapse()
        locked = self.orders.lock(limit)
        free = [name for name, state in self.known.items() if not state.dead and state.locked_until is None]
        assert [message.content.decode() for _, message in locked] == free[:limit], "the oldest free ones, in order"
        for token, message in locked:
            name = message.content.decode()
            assert message.delivery_count == self.known[name].failures
            self.known[name].locked_until = self.clock.now + LOCK
            self.holders[name] = token
        return multiple(*((token, message.content.decode()) for token, message in locked))

    @rule(held=consumes(tokens), how=st.sampled_from(["complete", "abandon", "release", "dead_letter"]))
    def settle(self, held: tuple[uuid.UUID, str], how: str) -> None:
        token, name = held
        self.lapse()
        extra = ("reason", "text") if how == "dead_letter" else ()
        if self.holders.get(name) != token:
            try:
                getattr(self.orders, how)(token, *extra)
            except LockLostError:
                return
            raise AssertionError("a lock that was lost has settled a message")
        getattr(self.orders, how)(token, *extra)
        del self.holders[name]
        self.known[name].locked_until = None
        match how:
            case "complete":
                del self.known[name]
            case "abandon":
                self.fail(name)
            case "dead_letter":
                self.known[name].dead = True

    @rule(held=tokens)
    def renew(self, held: tuple[uuid.UUID, str]) -> None:
        token, name = held
        self.lapse()
        if self.holders.get(name) == token:
            self.known[name].locked_until = self.orders.renew(token)
            assert self.known[name].locked_until == self.clock.now + LOCK

    @rule(seconds=st.sampled_from([1.0, 15.0, 30.0, 61.0]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.broker.expire()
        self.lapse()

    @rule()
    def restart(self) -> None:
        self.lapse(everything=True)
        self.open()

    @invariant()
    def nothing_is_lost(self) -> None:
        alive = {message.content.decode() for message in self.orders.peek(0, 10_000)}
        self.lapse()
        assert alive == {name for name, state in self.known.items() if not state.dead}
        buried = [message.content.decode() for message in self.dead.peek(0, 10_000)]
        assert sorted(buried) == sorted(name for name, state in self.known.items() if state.dead)

    def lapse(self, *, everything: bool = False) -> None:
        """Do to the model what the end of a lock does."""
        for name, state in self.known.items():
            if state.locked_until is not None and (everything or state.locked_until <= self.clock.now):
                state.locked_until = None
                del self.holders[name]
                self.fail(name)

    def fail(self, name: str) -> None:
        self.known[name].failures += 1
        self.known[name].dead = self.known[name].failures >= MAX_DELIVERIES


BrokerMachine.TestCase.settings = examples(60, stateful_step_count=30)
TestBroker = BrokerMachine.TestCase
