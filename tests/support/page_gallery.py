"""Every screen of the page in the states that people meet it in: a world, and where each of them is in it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from unittest.mock import patch

from function_app.api.doctor import report_of
from function_app.page.screens import doctor
from shared.clients.ledger.tables import Row
from shared.doctor import Finding, State
from shared.messages import (
    Action,
    ActionEnd,
    ActionKind,
    Actor,
    ActorKind,
    Backfill,
    FailedAttempt,
    FailureKind,
    Outcome,
    Quarantine,
    RejectedEvent,
    Retirement,
    Stage,
    Trouble,
    TroubleKind,
    Watch,
    first_record,
)
from tests.simulation.world import World
from tests.support.arrivals import a_run_record
from tests.support.builders import a_run_request
from tests.support.page_passports import a_passport
from tests.support.page_world import page_world, train

NO_REQUESTS: Final = "XMLHttpRequest.prototype.send = function () {};"
"""A script that keeps a page from asking for a part of itself."""
_JAN: Final = Actor(kind=ActorKind.PERSON, name="Jan")


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A screen in one of its states. ``address`` has names of the gallery in it.

    ``typed``: what is typed into its form, which is sent then; ``status``: of what is answered at last. ``waits_for``:
    something that is there when all has come. ``before``: a script that runs in it before its own.
    """

    address: str
    typed: Mapping[str, str] = field(default_factory=dict)
    status: int = 200
    waits_for: str = "main h1"
    before: str = ""


VIEWS: Final[Mapping[str, View]] = {
    "now": View(address="/ui"),
    "run": View(address="/ui/runs/{run}"),
    "run-under-way": View(address="/ui/runs/{going}"),
    "run-that-waits": View(address="/ui/runs/{waits}"),
    "run-that-failed": View(address="/ui/runs/{failed}"),
    "runs": View(address="/ui/runs"),
    "runs-of-one-kind": View(address="/ui/runs?pipeline=breast-cancer&outcome=promoted"),
    "runs-that-are-not": View(address="/ui/runs?outcome=cancelled"),
    "compare": View(address="/ui/compare?left={before}&right={run}"),
    "compare-nothing": View(address="/ui/compare"),
    "why": View(address="/ui/why"),
    "why-of-a-file": View(address="/ui/why?pipeline=breast-cancer&blob=landing/part-1.csv"),
    "why-of-half-a-name": View(address="/ui/why?pipeline=breast-cancer&blob=part"),
    "data": View(address="/ui/pipelines/breast-cancer"),
    "data-in-trouble": View(address="/ui/pipelines/quiet"),
    "data-retired": View(address="/ui/pipelines/old"),
    "data-of-the-past": View(address="/ui/pipelines/gone"),
    "strays": View(address="/ui/strays"),
    "strays-not-read": View(address="/ui/strays?kind=rejected"),
    "models": View(address="/ui/models"),
    "model": View(address="/ui/models/breast-cancer"),
    "passport": View(address="/ui/models/breast-cancer/1/passport"),
    "targets": View(address="/ui/targets"),
    "doctor-looks": View(address="/ui/doctor", before=NO_REQUESTS),
    "doctor": View(address="/ui/doctor", waits_for="#h-wrong"),
    "start": View(address="/ui/actions/start?name=breast-cancer"),
    "start-with-a-mistake": View(address="/ui/actions/start?name=breast-cancer&look=1&p.rounds=many"),
    "approve": View(address="/ui/actions/approve?run_id={waits}&target=hub-vm"),
    "approve-with-a-mistake": View(
        address="/ui/actions/approve?run_id={waits}&target=hub-vm",
        typed={"by": " ", "reason": "looks good"},
        status=400,
        waits_for="#wrong-by",
    ),
    "reject": View(address="/ui/actions/reject?run_id={waits}&target=hub-vm"),
    "cancel": View(address="/ui/actions/cancel?run_id={going}"),
    "resume": View(address="/ui/actions/resume?run_id={failed}"),
    "roll-back": View(address="/ui/actions/roll-back?target=hub-vm&name=breast-cancer"),
    "release": View(address="/ui/actions/release?name=quiet"),
    "retire": View(address="/ui/actions/retire?name=breast-cancer"),
    "retire-with-a-mistake": View(
        address="/ui/actions/retire?name=breast-cancer", typed={"reason": " "}, status=400, waits_for="#wrong-reason"
    ),
    "reinstate": View(address="/ui/actions/reinstate?name=old"),
    "acted": View(address="/ui/actions/done/back-1"),
    "sign-in": View(address="/ui/sign-in"),
    "sign-in-by-link": View(address="/ui/sign-in?ticket=x"),
    "sign-in-refused": View(address="/ui/sign-in", typed={"key": "no key"}, status=403, waits_for="#wrong-key"),
    "refused": View(address="/ui/runs/nothing", status=404),
    "missing": View(address="/ui/nothing-here", status=404),
    "fault": View(address="/ui/actions/done/unreadable", status=500),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gallery:
    """The world, and the names in it that addresses have."""

    world: World
    names: Mapping[str, str]


@contextmanager
def gallery(folder: Path) -> Iterator[Gallery]:
    """A world with all of :data:`VIEWS`; the doctor's checks are made up, and the registry is not asked."""
    canary = {"strategy": {"steps": [10, 50], "soak_seconds": 60, "least_requests": 20}}
    pipelines: dict[str, dict[str, object]] = {
        "breast-cancer": {"deliver": canary, "parameters": {"rounds": 20, "deep": False}},
        "scans": {},
        "asks": {"deliver": {"approval": {"hours": 24}}},
        "quiet": {"expect": {"every": "day"}},
        "old": {},
        "spare": {},
    }
    with page_world(folder, pipelines) as world:
        world.deliver([world.upload("asks", "landing/part-1.csv")])
        for number in (1, 2):
            train(world, "breast-cancer", f"part-{number}.csv")
        world.deliver([world.upload("scans", "landing/part-1.csv")])
        world.deliver([world.upload("nowhere", "landing/part-1.csv")])
        for _ in range(30):
            world.advance(timedelta(seconds=5))
        newest = {name: world.ledger.runs.list_runs([name]).items for name in ("breast-cancer", "scans", "asks")}
        run, before = (each.run_id for each in newest["breast-cancer"])
        names = {
            "run": run,
            "before": before,
            "going": newest["scans"][0].run_id,
            "waits": newest["asks"][0].run_id,
            "failed": _failed(world),
        }
        _in_trouble(world, names["failed"])
        _done_by_hand(world, run=run, before=before)
        _of_the_past(world)
        said = report_of(tuple(_finding(state) for state in State))
        with a_passport(world, "breast-cancer"), patch.object(doctor, "doctor", lambda *_: said):
            yield Gallery(world=world, names=names)


def _failed(world: World) -> str:
    """A run that trained, and failed after that."""
    failed = a_run_record(
        run_id=f"quiet-{'ef' * 6}-1",
        pipeline="quiet",
        outcome=Outcome.FAILED,
        reason="the registry answers 503; all retries failed",
        failure_kind=FailureKind.OUTSIDE,
        stage=Stage.DELIVERING,
        ended_at=world.clock.now(),
        requested_at=world.clock.now() - timedelta(minutes=12),
        seconds=720.0,
        metrics={"accuracy": 0.9},
        note="after the holidays",
    )
    world.ledger.runs.record_run(failed)
    return failed.run_id


def _in_trouble(world: World, failed: str) -> None:
    """A pipeline with every trouble that there is, data that are held back, and data that do not come."""
    troubles = [
        Trouble(kind=kind, cause=f"{kind.value} is what is wrong", remedy="mend it", since=world.clock.now())
        for kind in TroubleKind
    ]
    world.ledger.troubles.keep("quiet", tuple(troubles))
    before = datetime.now(UTC) - timedelta(days=40)
    world.ledger.expectations.keep("quiet", Watch(since=before, next_at=before, backfill=Backfill(done=True)))
    failures = (FailedAttempt(run_id=failed, reason="line 3: not a number", ended_at=world.clock.now()),)
    for number, kept in enumerate((failures, ())):
        world.ledger.quarantines.put(
            Quarantine(
                pipeline="quiet",
                fingerprint=f"{number}f" * 32,
                snapshot_digest="ab" * 32,
                since=world.clock.now(),
                failures=kept,
                rolled_back=not kept,
            )
        )


def _done_by_hand(world: World, *, run: str, before: str) -> None:
    """A roll-back that left something to do, one that cannot be read any more, and a retired pipeline."""
    back = Action(
        action_id="back-1",
        kind=ActionKind.ROLL_BACK,
        pipeline="breast-cancer",
        by=_JAN,
        reason="it was slow",
        asked_at=world.clock.now(),
        target="hub-vm",
        to=before,
        bad=run,
    )
    world.ledger.actions.begin(back)
    sentence, left = "hub-vm does not serve what it should", ("see that hub-vm answers",)
    world.ledger.actions.end(
        ActionEnd(action_id="back-1", done=False, sentence=sentence, ended_at=world.clock.now(), left=left)
    )
    seen = world.ledger.targets.of("hub-vm", "breast-cancer").seen
    assert seen is not None
    world.ledger.targets.saw(replace(seen, kept=(run, before)), at=world.clock.now())  # what a roll-back can bring back
    world.tables.table("actions").put(Row("action", "unreadable", {"action": "{"}))
    retired = Retirement(pipeline="old", by=_JAN, reason="nobody needs it", at=world.clock.now())
    world.ledger.actions.retire(retired)
    world.ledger.actions.begin(
        Action(
            action_id=retired.action_id,
            kind=ActionKind.RETIRE,
            pipeline="old",
            by=_JAN,
            reason=retired.reason,
            asked_at=retired.at,
        )
    )


def _of_the_past(world: World) -> None:
    """A pipeline whose file is gone, and an event that nobody can read."""
    gone = a_run_request(run_id=f"gone-{'ab' * 6}-1", pipeline="gone", requested_at=world.clock.now())
    world.ledger.runs.claim_run(gone)
    ended = replace(first_record(gone, reason="the model in use stays"), outcome=Outcome.NOT_PROMOTED)
    world.ledger.runs.record_run(ended)
    event = RejectedEvent(event_id="odd", reason="it has no subject", received_at=world.clock.now(), text='{"id": 1}')
    world.ledger.arrivals.record_rejected(event)


def _finding(state: State) -> Finding:
    return Finding(
        check=f"hub.{state.value}",
        subject="site factory",
        state=state,
        found="the clock is 10 min ahead",
        wanted="the time of the app",
        why="signatures are refused",
        remedy="run there as root: timedatectl set-ntp true" if state.needs_remedy else "",
    )
