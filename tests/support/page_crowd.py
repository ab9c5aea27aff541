"""The page over a ledger that has grown: a few pipelines with thousands of runs and ten times as many arrivals.

The newest runs went through the whole app; those before them, and their windows and arrivals, the ledger's own classes
have written.
"""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Final
from unittest.mock import patch
from urllib.parse import quote, urlencode

from function_app.api import passports
from function_app.page.actions import ACTS
from shared.messages import (
    Action,
    ActionKind,
    Actor,
    ActorKind,
    Cause,
    IssuedPassport,
    Outcome,
    RejectedEvent,
    RunRecord,
    TargetResult,
    Verdict,
    WindowVerdict,
)
from tests.simulation.world import World
from tests.support.arrivals import an_arrival
from tests.support.page_world import IMAGE, page_world

PIPELINE: Final = "breast-cancer"
PIPELINES: Final = (PIPELINE, "glass-defects", "wine-quality", "quiet-line")
_OUTCOMES: Final = (Outcome.PROMOTED, Outcome.FAILED, Outcome.PROMOTED, Outcome.NOT_PROMOTED, Outcome.ROLLED_BACK)
_SHARES: Final = (70, 10, 10, 10)
"""Percent of the runs, and of the arrivals, that each pipeline has."""
_GROUP: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """The world, and addresses of every screen in it, under the screen's module and what is asked of it."""

    world: World
    screens: Mapping[str, str]


@contextmanager
def crowded(folder: Path, *, runs: int, arrivals: int) -> Iterator[Crowd]:
    """So many of each, and a few more, most of them the first pipeline's."""
    approval = {"deliver": {"approval": {"hours": 24}}}
    with page_world(folder, {name: approval if name == PIPELINES[3] else {} for name in PIPELINES}) as world:
        for pipeline, share in zip(PIPELINES, _SHARES, strict=True):
            _past(world, pipeline, runs * share // 100, each=arrivals // runs)
        for number in range(_GROUP):
            event = RejectedEvent(
                event_id=f"odd-{number}", reason="no subject", text="{}" * number, received_at=world.clock.now()
            )
            world.ledger.arrivals.record_rejected(event)
        _outside(world, arrivals // _GROUP)
        _trained(world, PIPELINE, "part-1.csv", minutes=13)
        _trained(world, PIPELINE, "part-2.csv", minutes=13)
        _trained(world, PIPELINES[3], "part-1.csv", minutes=13)  # waits for somebody's yes
        _trained(world, PIPELINES[1], "part-1.csv", minutes=2)  # is under way
        world.ledger.actions.begin(_rolled_back(world))
        with _passport(world):
            yield Crowd(world=world, screens=_screens(world))


def _trained(world: World, pipeline: str, file: str, *, minutes: int) -> None:
    """A file lands, and what follows from it in so many minutes."""
    world.deliver([world.upload(pipeline, f"landing/{file}")])
    for _ in range(minutes * 2):
        world.advance(timedelta(seconds=30))


def _past(world: World, pipeline: str, runs: int, *, each: int) -> None:
    """Runs of a year, each with a window of so many arrivals."""
    apart = timedelta(days=365) / runs
    for number in range(runs):
        fingerprint = hashlib.sha256(f"{pipeline} {number}".encode()).hexdigest()
        at = world.clock.now() - apart * (runs - number)
        run_id, outcome = f"{pipeline}-{fingerprint[:12]}-1", _OUTCOMES[number % len(_OUTCOMES)]
        made = outcome in {Outcome.PROMOTED, Outcome.ROLLED_BACK}
        window_id = _window(world, pipeline, number, each, run_id)
        world.ledger.runs.record_run(
            RunRecord(
                run_id=run_id,
                pipeline=pipeline,
                outcome=outcome,
                reason="the job ended with exit code 1" if outcome is Outcome.FAILED else "accuracy 0.9 is enough",
                cause=Cause.NEW_DATA,
                fingerprint=fingerprint,
                attempt=1,
                snapshot_digest=fingerprint,
                requested_at=at,
                ended_at=at + timedelta(minutes=12),
                seconds=720.0,
                metrics={} if outcome is Outcome.FAILED else {"accuracy": 0.9 + number % 7 / 100, "recall": 0.8},
                model=pipeline if made else None,
                version=str(number) if made else None,
                image=IMAGE if made else None,
                targets=(TargetResult(target="hub-vm", deployed=True),) if made else (),
                window_id=window_id,
                blobs=(number + 1) * each,
            )
        )


def _window(world: World, pipeline: str, number: int, size: int, run_id: str) -> str:
    """A window that was decided; its id."""
    ledger, at = world.ledger.arrivals, world.clock.now() - timedelta(days=1) + timedelta(seconds=number)
    window_id = ""
    for start in range(0, size, _GROUP):
        came = [
            an_arrival(
                event_id=f"{pipeline}-{number}-{file}",
                container=pipeline,
                blob=f"landing/day-{number:05}/part-{file:04}.csv",
                occurred_at=at,
                received_at=at,
            )
            for file in range(start, min(start + _GROUP, size))
        ]
        joined = ledger.join_windows(pipeline, [(arrival, False) for arrival in came])
        window_id = joined[0].window_id or ""
    (window,) = (each.window for each in ledger.unfinished_windows() if each.window.window_id == window_id)
    ledger.close_window(window)
    ledger.record_verdict(
        WindowVerdict(
            window_id=window_id,
            pipeline=pipeline,
            verdict=Verdict.TRAINED,
            reason=f"trained in run {run_id}",
            run_id=run_id,
        )
    )
    return window_id


def _outside(world: World, count: int) -> None:
    """Arrivals that no pipeline watches."""
    for start in range(0, count, _GROUP):
        at = world.clock.now() - timedelta(hours=1) + timedelta(seconds=start)
        came = [
            replace(an_arrival(), event_id=f"stray-{number}", blob=f"else/{number}.csv", received_at=at)
            for number in range(start, start + _GROUP)
        ]
        world.ledger.arrivals.record_all_outside([(arrival, "no pipeline watches it") for arrival in came])


@contextmanager
def _passport(world: World) -> Iterator[None]:
    """A version has a passport, in a registry that is not asked."""
    run_id = world.ledger.runs.list_runs([PIPELINE], limit=1).items[0].run_id
    document = {"pipeline": PIPELINE, "run": {"run_id": run_id, "parameters": {}}, "metrics": {"accuracy": 0.9}}
    world.services.__dict__ |= {"trusted_keys": (), "container_registry": None}
    world.ledger.passports.keep(IssuedPassport(model=PIPELINE, version="1", image=IMAGE, run_id=run_id))
    found = SimpleNamespace(predicate=document, bundle="{}")
    with patch.object(passports, "Attachments", lambda _: SimpleNamespace(find=lambda *_: found)):
        yield


def _rolled_back(world: World) -> Action:
    runs = world.ledger.runs.list_runs([PIPELINE], limit=2).items
    return Action(
        action_id="back-1",
        kind=ActionKind.ROLL_BACK,
        pipeline=PIPELINE,
        by=Actor(kind=ActorKind.PERSON, name="Jan"),
        reason="it was slow",
        asked_at=world.clock.now(),
        target="hub-vm",
        to=runs[1].run_id,
        bad=runs[0].run_id,
    )


def _screens(world: World) -> dict[str, str]:
    newest, before = (run.run_id for run in world.ledger.runs.list_runs([PIPELINE], limit=2).items)
    going, waits = (world.ledger.runs.list_runs([name], limit=1).items[0].run_id for name in PIPELINES[1::2])
    blob = "landing/day-00003/part-0001.csv"
    subjects = {"name": PIPELINE, "run_id": waits, "target": "hub-vm"}
    forms = {
        f"act {name}": f"/ui/actions/{name}?{urlencode({each: subjects[each] for each in act.subject})}"
        for name, act in ACTS.items()
    }
    return {
        "now": "/ui",
        "runs": "/ui/runs",
        "runs of a pipeline": f"/ui/runs?pipeline={PIPELINE}",
        "runs that failed": "/ui/runs?outcome=failed",
        "run": f"/ui/runs/{newest}",
        "run under way": f"/ui/runs/{going}",
        "run that waits": f"/ui/runs/{waits}",
        "compare": f"/ui/compare?left={before}&right={newest}",
        "why": "/ui/why",
        "why of a file": f"/ui/why?pipeline={PIPELINE}&blob={quote(blob, safe='')}",
        "why of half a name": f"/ui/why?pipeline={PIPELINE}&blob=part-00",
        "data": f"/ui/pipelines/{PIPELINE}",
        "strays": "/ui/strays",
        "strays rejected": "/ui/strays?kind=rejected",
        "models": "/ui/models",
        "model": f"/ui/models/{PIPELINE}",
        "passport": f"/ui/models/{PIPELINE}/1/passport",
        "targets": "/ui/targets",
        "doctor": "/ui/doctor",
        **forms,
        "acted": "/ui/actions/done/back-1",
        "missing": "/ui/nothing-here",
    }
