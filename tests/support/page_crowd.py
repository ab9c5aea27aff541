"""The page over a ledger that has grown: a few pipelines with thousands of runs and ten times as many arrivals, a year
of each, and as many more as one page shows, whose data have come by the hour for a year.

The newest runs went through the whole app; those before them, and their windows and arrivals, the ledger's own classes
have written.
"""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

from function_app.page.actions import ACTS
from function_app.reconciler.cycle_context import CycleContext
from function_app.reconciler.overdue import watch_for_overdue
from shared.clients.ledger.day_counts import DayCounts
from shared.messages import (
    Action,
    ActionKind,
    Actor,
    ActorKind,
    Cause,
    Comparison,
    Outcome,
    RejectedEvent,
    RunRecord,
    TargetResult,
    Verdict,
    WindowVerdict,
)
from tests.simulation.world import World
from tests.support.arrivals import an_arrival
from tests.support.page_passports import a_passport
from tests.support.page_world import IMAGE, page_world

PIPELINE: Final = "breast-cancer"
PIPELINES: Final = (PIPELINE, "glass-defects", "wine-quality", "quiet-line")
_OUTCOMES: Final = (Outcome.PROMOTED, Outcome.FAILED, Outcome.PROMOTED, Outcome.NOT_PROMOTED, Outcome.ROLLED_BACK)
HOURLY: Final = tuple(f"hourly-{number:02}" for number in range(16))
"""By the hour, and no runs: of every other one the file says so, of the others it is forecast."""
_SHARES: Final = (70, 10, 10, 10)
"""Percent of the runs, and of the arrivals, that each pipeline has."""
_GROUP: Final = 100
_COMPARISON: Final = Comparison(
    rows=4_000, difference=-0.012, low=-0.021, high=-0.003, level=0.95, resamples=10_000, method="BCa"
)
_TAKES: Final = 41
"""Minutes that pass while the newest runs are made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """The world, and addresses of every screen in it, under the screen's module and what is asked of it."""

    world: World
    screens: Mapping[str, str]


@contextmanager
def crowded(folder: Path, *, runs: int, arrivals: int) -> Iterator[Crowd]:
    """So many of each, and a few more, most of them the first pipeline's."""
    changes: dict[str, dict[str, Any]] = {name: {} for name in HOURLY}
    changes |= {name: {"expect": {"every": "hour"}} for name in HOURLY[1::2]}
    # With few runs there is no forecast, which would take a request less.
    changes |= {name: {"expect": {"every": "week"}} for name in PIPELINES}
    changes[PIPELINES[3]]["deliver"] = {"approval": {"hours": 24}}
    with page_world(folder, changes, now=datetime.now(UTC) - timedelta(minutes=_TAKES)) as world:
        for pipeline, share in zip(PIPELINES, _SHARES, strict=True):
            _past(world, pipeline, runs * share // 100, each=arrivals // runs)
        for number in range(_GROUP):
            event = RejectedEvent(
                event_id=f"odd-{number}", reason="no subject", text="{}" * number, received_at=world.clock.now()
            )
            world.ledger.arrivals.record_rejected(event)
        _outside(world, arrivals // _GROUP)
        for pipeline in HOURLY:
            _by_the_hour(world, pipeline)
        _watched(world)
        _trained(world, PIPELINE, "part-1.csv", minutes=13)
        _trained(world, PIPELINE, "part-2.csv", minutes=13)
        _trained(world, PIPELINES[3], "part-1.csv", minutes=13)  # waits for somebody's yes
        _trained(world, PIPELINES[1], "part-1.csv", minutes=2)  # is under way
        world.ledger.actions.begin(_rolled_back(world))
        with a_passport(world, PIPELINE):
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
        window_id = _window(world, pipeline, number, each, run_id, at - timedelta(minutes=3))
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
                comparison=_COMPARISON if made else None,
                metrics={} if outcome is Outcome.FAILED else {"accuracy": 0.9 + number % 7 / 100, "recall": 0.8},
                model=pipeline if made else None,
                version=str(number) if made else None,
                image=IMAGE if made else None,
                targets=(TargetResult(target="hub-vm", deployed=True),) if made else (),
                window_id=window_id,
                blobs=(number + 1) * each,
            )
        )


def _window(world: World, pipeline: str, number: int, size: int, run_id: str, at: datetime) -> str:
    """A window that was decided; its id."""
    ledger, window_id = world.ledger.arrivals, ""
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


def _by_the_hour(world: World, pipeline: str) -> None:
    """A file in each hour of a year, until the last hour but one."""
    counts, last = DayCounts(world.tables.table("arrivals")), world.clock.now() - timedelta(hours=1)
    for day in (last.date() - timedelta(days=number) for number in range(366)):
        hours = range(last.hour + 1) if day == last.date() else range(24)
        counts.put_past(pipeline, day, {hour * 4 + day.day % 4: 1 for hour in hours})


def _watched(world: World) -> None:
    """The reconciler has looked which data are expected."""
    watches, every = world.services.watches, {*PIPELINES, *HOURLY}
    for _ in range(_GROUP):
        world.play(watch_for_overdue(CycleContext(world.services, world.client, world.clock.now()), ()))
        if watches.keys() == every and all(watch.near is not None for watch in watches.values()):
            break


def _outside(world: World, count: int) -> None:
    """Arrivals that no pipeline watches."""
    for start in range(0, count, _GROUP):
        at = world.clock.now() - timedelta(hours=1) + timedelta(seconds=start)
        came = [
            replace(an_arrival(), event_id=f"stray-{number}", blob=f"else/{number}.csv", received_at=at)
            for number in range(start, start + _GROUP)
        ]
        world.ledger.arrivals.record_all_outside([(arrival, "no pipeline watches it") for arrival in came])


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
        "data by the hour": f"/ui/pipelines/{HOURLY[0]}",
        "data expected by the hour": f"/ui/pipelines/{HOURLY[1]}",
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
