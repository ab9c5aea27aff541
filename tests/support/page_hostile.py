"""A world in which every text that comes from outside means harm, and what each screen has to show of it.

The ledger's own classes have written it, and manifests their own writer: names of files, reasons, measures, parameters,
notes, people, places, ends of logs.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from unittest.mock import patch
from urllib.parse import urlencode

from function_app.api.doctor import report_of
from function_app.page.screens import doctor
from shared.doctor import Finding, State
from shared.messages import (
    Action,
    ActionEnd,
    ActionKind,
    Actor,
    ActorKind,
    Arrival,
    FailedAttempt,
    ObservedRelease,
    PlannedRelease,
    Quarantine,
    RejectedEvent,
    ReleaseState,
    Serving,
    ServingPlan,
    Trouble,
    TroubleKind,
    Verdict,
    WindowVerdict,
)
from tests.simulation.world import World
from tests.support.arrivals import an_arrival
from tests.support.page_hostile_runs import NAME, TEXTS, Deal, cancelled, runs_of
from tests.support.page_passports import a_passport
from tests.support.page_world import IMAGE, page_world

REFUSED: Final = "refused"
"""The screen that says that an address is wrong."""
_EVENTS: Final = 20
"""About the file that is asked for, as many as are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hostile:
    """The world. ``screens``: their addresses, and ``shown``: what each shows, under its name."""

    world: World
    screens: dict[str, str]
    shown: dict[str, list[str]]


@contextmanager
def hostile_world(folder: Path) -> Iterator[Hostile]:
    """One pipeline, about which everybody means harm."""
    deal = Deal()
    with page_world(folder, {NAME: {}}) as world:
        (folder / "pipelines" / "'\"><b class=hostile>.yaml").write_text(f"name: {TEXTS[0]!r}", encoding="utf-8")
        runs, given_up = runs_of(world, deal), cancelled(world, deal)
        _arrivals(world, deal)
        blob = _asked_for(world, deal)
        _strays(world, deal)
        _troubles(world, deal, runs[-1])
        action = _acted(world, deal)
        _targets(world, deal, runs)
        findings = tuple(_finding(state, deal) for state in State for _ in range(3))
        pair = urlencode({"left": runs[-2], "right": runs[-1]})
        decision = urlencode({"run_id": runs[-1], "target": deal("approve")})
        wrong = urlencode({"kind": deal()})
        with (
            a_passport(world, NAME, **_passport(deal)),
            patch.object(doctor, "doctor", lambda *_: report_of(findings)),
        ):
            assert deal.dealt == set(TEXTS)
            screens = {
                "compare": f"/ui/compare?{pair}",
                "run": f"/ui/runs/{runs[-1]}",
                "cancelled": f"/ui/runs/{given_up}",
                "data": f"/ui/pipelines/{NAME}",
                "near": f"/ui/why?pipeline={NAME}",
                "why": f"/ui/why?{urlencode({'pipeline': NAME, 'blob': blob})}",
                "strays": "/ui/strays",
                "rejected": "/ui/strays?kind=rejected",
                "model": f"/ui/models/{NAME}",
                "models": "/ui/models",
                "passport": f"/ui/models/{NAME}/1/passport",
                "acted": f"/ui/actions/done/{action}",
                "approve": f"/ui/actions/approve?{decision}",
                "release": f"/ui/actions/release?name={NAME}",
                "now": "/ui",
                "targets": "/ui/targets",
                "doctor": "/ui/doctor?run=1",
                REFUSED: f"/ui/strays?{wrong}",
            }
            yield Hostile(world=world, screens=screens, shown=deal.shown)


def _arrivals(world: World, deal: Deal) -> None:
    """A page of files that came, each with a verdict of its own; of the last ones the names are offered."""
    ledger = world.ledger.arrivals
    for number in range(25):
        at = world.clock.now() + timedelta(seconds=number)
        blob = deal("data", *(["near"] if number >= 15 else []))
        (joined,) = ledger.join_windows(NAME, [(_arrival(f"came-{number}", blob, at), False)])
        assert joined.start is not None
        ledger.close_window(joined.start)
        verdict = Verdict.REJECTED if number % 2 else Verdict.QUARANTINED
        window = joined.start.window_id
        ledger.record_verdict(WindowVerdict(window_id=window, pipeline=NAME, verdict=verdict, reason=deal("data")))


def _asked_for(world: World, deal: Deal) -> str:
    """A file of which much was said; its name."""
    blob, at = deal("why"), world.clock.now() + timedelta(hours=1)
    events = [(_arrival(f"said-{number}", blob, at), deal("why")) for number in range(_EVENTS)]
    world.ledger.arrivals.record_all_outside(events)
    return blob


def _strays(world: World, deal: Deal) -> None:
    came = []
    for number in range(25 - _EVENTS):
        at = world.clock.now() + timedelta(hours=2, seconds=number)
        account, container = deal.some(2, "strays")
        event = replace(_arrival(f"stray-{number}", deal("strays"), at), account=account, container=container)
        came.append((event, deal("strays")))
    world.ledger.arrivals.record_all_outside(came)
    for number in range(10):
        world.ledger.arrivals.record_rejected(
            RejectedEvent(
                event_id=f"odd-{number}",
                reason=deal("rejected"),
                text=deal("rejected"),
                received_at=world.clock.now(),
            )
        )


def _arrival(event_id: str, blob: str, at: datetime) -> Arrival:
    return an_arrival(event_id=event_id, container=NAME, blob=blob, etag=event_id, occurred_at=at, received_at=at)


def _troubles(world: World, deal: Deal, run_id: str) -> None:
    """Everything is wrong with it, and data are held back."""
    said = [(kind, deal("data", "now", "why"), deal("data", "now", "why")) for kind in TroubleKind]
    troubles = [Trouble(kind=kind, cause=cause, remedy=remedy, since=world.clock.now()) for kind, cause, remedy in said]
    world.ledger.troubles.keep(NAME, tuple(troubles))
    for number in range(3):
        reasons = (*deal.some(2, "data"), deal("data", "release"))
        failures = tuple(FailedAttempt(run_id=run_id, reason=reason) for reason in reasons)
        kept = Quarantine(
            pipeline=NAME,
            fingerprint=f"{number}f" * 32,
            snapshot_digest="ab" * 32,
            since=world.clock.now(),
            failures=failures,
        )
        world.ledger.quarantines.put(kept)


def _acted(world: World, deal: Deal) -> str:
    action = _roll_back(world, "acted", *deal.some(4, "acted"))
    end = ActionEnd(
        action_id=action.action_id,
        done=False,
        sentence=deal("acted"),
        ended_at=world.clock.now(),
        left=deal.some(6, "acted"),
    )
    world.ledger.actions.end(end)
    return action.action_id


def _roll_back(world: World, action_id: str, by: str, reason: str, target: str, to: str) -> Action:
    action = Action(
        action_id=action_id,
        kind=ActionKind.ROLL_BACK,
        pipeline=NAME,
        by=Actor(kind=ActorKind.PERSON, name=by),
        reason=reason,
        asked_at=world.clock.now(),
        target=target,
        to=to,
    )
    return world.ledger.actions.begin(action)


def _targets(world: World, deal: Deal, runs: Sequence[str]) -> None:
    """Places that serve something else than they should, and why in the words of their logs."""
    for number in range(8):
        target = deal("targets", "now")
        action = _roll_back(world, f"back-{number}", deal("targets"), deal("targets"), target, runs[0])
        wanted = PlannedRelease(run_id=runs[0], image=IMAGE, weight=100, model=deal("targets"), version=deal("targets"))
        plan = ServingPlan(target=target, pipeline=NAME, releases=(wanted,))
        world.ledger.targets.desire(plan, by=action.action_id, at=world.clock.now())
        found = ObservedRelease(
            run_id=runs[1],
            image=IMAGE,
            state=ReleaseState.UNHEALTHY,
            weight=100,
            trouble=deal("targets"),
            model=deal("targets"),
            version=deal("targets"),
        )
        serving = Serving(target=target, pipeline=NAME, releases=(found,), endpoint=deal("targets"))
        world.ledger.targets.saw(serving, at=world.clock.now())
        world.ledger.targets.note_drift(target, NAME, deal("targets"))


def _finding(state: State, deal: Deal) -> Finding:
    found, subject = deal.some(2, "doctor")
    wanted, why = deal.some(2, *(["doctor"] if state in {State.WRONG, State.UNKNOWN} else []))
    return Finding(
        check=f"hub.{state.value}",
        subject=subject,
        state=state,
        found=found,
        wanted=wanted,
        why=why,
        remedy="mend it" if state.needs_remedy else "",
    )


def _passport(deal: Deal) -> dict[str, object]:
    """What a document says, whose names are shown with a blank for each underscore."""
    names = [text.replace("_", " ") for text in deal.some(12)]
    values = deal.some(8, "passport")
    deal.shown["passport"] += names
    parameters = dict(zip(names, values, strict=False))
    return {"run": {"run_id": values[0], "parameters": parameters}, "metrics": dict.fromkeys(names, 0.5)}
