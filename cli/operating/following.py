"""Following a run to its end: a line for each change, and patience while the app is away."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, TypeVar

from cli.client import AppClient, AppRefusedError, NotReachableError, Reply
from cli.client.answers import Answer, Run, Why
from cli.client.delivery_answers import Action
from cli.client.errors import CommandError
from cli.operating.words import doing, outcome, waits_for_approval

AWAY_SECONDS: Final = 300.0  # how long an app that does not answer is waited for; a restart takes less
_UNDECIDED: Final = frozenset({None, "joined"})
Say = Callable[[str], None]
Seen = TypeVar("Seen", bound=Answer)


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between two looks: ``first``, and longer and longer up to ``most``."""

    first: float = 1.0
    most: float = 10.0
    growth: float = 1.2

    def pauses(self) -> Iterator[float]:
        """One pause after the other."""
        pause = self.first
        while True:
            yield pause
            pause = min(self.most, pause * self.growth)


PACE = Pace()


def follow(app: AppClient, run_id: str, say: Say) -> Reply[Run]:
    """The run once it has an outcome."""
    said = ""
    for reply in _looks(lambda: app.run(run_id), say):
        run = reply.view
        now = outcome(run.outcome).text if run.outcome is not None else doing(run)
        if now != said:
            say(f"{run.run_id}: {now}")
            if waits_for_approval(run):
                say(f"to decide: edgetrain approve {run.run_id}, or edgetrain reject {run.run_id} --reason TEXT")
            said = now
        if run.ended:
            return reply
    raise AssertionError  # the looks do not end


def follow_blob(app: AppClient, pipeline: str, blob: str, say: Say) -> Reply[Why]:
    """What became of a blob, once it is decided and its run, if it led to one, has an outcome."""
    said = ""
    for reply in _looks(lambda: app.why(pipeline, blob), say):
        why = reply.view
        now = doing(why.run) if why.run is not None and not why.run.ended else why.sentence
        if now != said:
            say(now if now.startswith(blob) else f"{blob}: {now}")
            said = now
        decided = why.verdict not in _UNDECIDED
        if decided and (why.run is None or why.run.ended):
            return reply
    raise AssertionError  # the looks do not end


def follow_action(app: AppClient, action_id: str, say: Say) -> Reply[Action]:
    """A roll-back or a retirement once it has ended."""
    said = ""
    for reply in _looks(lambda: app.action(action_id), say):
        if reply.view.sentence != said:
            said = reply.view.sentence
            say(said)
        if reply.view.state != "running":
            return reply
    raise AssertionError  # the looks do not end


def _looks(look: Callable[[], Reply[Seen]], say: Say) -> Iterator[Reply[Seen]]:
    """What is seen, again and again; raises the error of an app that stays away."""
    away_since: float | None = None
    for pause in PACE.pauses():
        try:
            yield look()
            away_since = None
        except (AppRefusedError, NotReachableError) as error:
            if not _may_pass(error):
                raise
            if away_since is None:
                away_since = time.monotonic()
                say(f"no answer for now: {error.reason}")
            elif time.monotonic() - away_since > AWAY_SECONDS:
                raise
        time.sleep(pause)


def _may_pass(error: CommandError) -> bool:
    """Whether waiting can help: the app is away or being started, or asks to come again."""
    return isinstance(error, NotReachableError) or error.status == HTTPStatus.SERVICE_UNAVAILABLE
