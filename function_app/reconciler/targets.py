"""Targets are looked after: each is looked at every ten minutes, and brought back to what it should run.

What is wrong, and what is done about it, is decided by :mod:`shared.decisions.delivery.drift`. A target that differs is
looked at in every cycle. One that does not answer is named, and nothing follows from that: what it should run stays as
it is. Where a roll-out, a roll-back or another action is under way, nothing is done.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from function_app.composition import Services
from function_app.reconciler.cycle_context import CycleContext
from function_app.reconciler.target_care import NOT_REACHED, REFUSED, Carer
from shared.decisions.delivery.drift import Step, lost_champion
from shared.decisions.explanations.status_text import utc_text
from shared.decisions.promotion.crowning import promoted_at
from shared.decisions.reconciliation.spreading import room
from shared.decisions.reconciliation.troubles import Aspect, Finding
from shared.errors import PermanentError, TransientError
from shared.messages import (
    Serving,
    TargetState,
    TroubleKind,
)

log = logging.getLogger(__name__)

EVERY = timedelta(minutes=10)
AT_ONCE = 4  # targets asked at the same time, so that one that does not answer delays few others

_Pair = tuple[str, str]  # target, pipeline
_States = dict[_Pair, TargetState]


async def look_after_targets(context: CycleContext) -> None:
    """Look at the targets that are due, and heal what can be healed; keeps what is wrong as troubles."""
    if not context.had_runs:
        return
    with context.guard("look after the targets"):
        states = await asyncio.to_thread(_states, context)
        due = _in_turn([state for state in states.values() if is_due(state, context.now)], len(states))
        seen = await _look(context, due)
        by_pipeline = defaultdict(list)
        for (_, pipeline), serving in seen.items():
            by_pipeline[pipeline].append(serving)
        for pipeline, servings in by_pipeline.items():
            with context.guard(f"look after the targets of pipeline {pipeline}"):
                await asyncio.to_thread(_care_for_pipeline, context, pipeline, servings, states)
        await asyncio.to_thread(_add_findings, context, states)


def is_due(state: TargetState, now: datetime) -> bool:
    """Whether to look at the target now: it is ten minutes ago, or something was wrong."""
    return state.seen_at is None or bool(state.drift) or abs(now - state.seen_at) >= EVERY


def _in_turn(due: list[TargetState], known: int) -> list[TargetState]:
    """Those that are new or were not well, and of the others those that were not looked at for longest."""
    usual = [state for state in due if state.seen_at is not None and not state.drift]
    longest = sorted(usual, key=lambda state: state.seen_at or datetime.min.replace(tzinfo=UTC))
    return [state for state in due if state not in usual] + longest[: room(known)]


def look_at(services: Services, target: str, pipeline: str, now: datetime) -> TargetState:
    """Look at one target now and do what follows, as a cycle would; raises when it cannot be asked."""
    serving = services.targets.open(target).observe(pipeline)
    services.ledger.targets.saw(serving, at=now)
    carer = Carer(services, pipeline, now)
    carer.care_for(services.ledger.targets.of(target, pipeline), serving)
    return services.ledger.targets.of(target, pipeline)


def _states(context: CycleContext) -> _States:
    """What the ledger knows of every target that serves, or may serve, a pipeline that ever had a run."""
    known: _States = {(state.target, state.pipeline): state for state in context.services.ledger.targets.all()}
    had_runs = set(context.had_runs or ())
    for pipeline in context.services.pipelines.all:
        for target in pipeline.deliver.targets if pipeline.name in had_runs else ():
            pair = (target.name, pipeline.name)
            known.setdefault(pair, TargetState(target=target.name, pipeline=pipeline.name))
    return known


async def _look(context: CycleContext, due: Iterable[TargetState]) -> dict[_Pair, Serving]:
    """What the targets run. One that does not answer is not asked about its other pipelines in this cycle."""
    at_once, by_target = asyncio.Semaphore(AT_ONCE), defaultdict(list)
    for state in due:
        by_target[state.target].append(state)
    seen: dict[_Pair, Serving] = {}

    async def look(states: list[TargetState]) -> None:
        async with at_once:
            trouble = ""
            for state in states:
                pair = (state.target, state.pipeline)
                with context.guard(f"look at target {state.target} for pipeline {state.pipeline}"):
                    if not trouble:
                        try:
                            seen[pair] = await asyncio.to_thread(_observe, context, state)
                            continue
                        except TransientError as error:
                            trouble = str(error)
                        except PermanentError as error:
                            await _note(context, state, f"{REFUSED}{error.reason}")
                            continue
                    unchanged = state.drift if state.drift.startswith(NOT_REACHED) else ""
                    text = f"{NOT_REACHED}{utc_text(context.now)}: {trouble}; what it should run stays as it is"
                    await _note(context, state, unchanged or text)

    await asyncio.gather(*map(look, by_target.values()))
    return seen


def _observe(context: CycleContext, state: TargetState) -> Serving:
    serving = context.services.targets.open(state.target).observe(state.pipeline)
    context.services.ledger.targets.saw(serving, at=context.now)
    return serving


async def _note(context: CycleContext, state: TargetState, drift: str) -> None:
    if drift != state.drift:
        await asyncio.to_thread(context.services.ledger.targets.note_drift, state.target, state.pipeline, drift)


def _care_for_pipeline(context: CycleContext, pipeline: str, servings: list[Serving], states: _States) -> None:
    carer = Carer(context.services, pipeline, context.now)
    if not carer.retired and carer.champion.run_id is None:
        _restore_champion(
            context, carer, [replace(states[each.target, pipeline], seen=each) for each in servings], states
        )
    for serving in servings:
        with context.guard(f"bring target {serving.target} to what it should run for pipeline {pipeline}"):
            care = carer.care_for(states[serving.target, pipeline], serving)
            if care.step in {Step.APPLY, Step.ADOPT}:
                context.done["targets brought to their plans" if care.step is Step.APPLY else "plans found again"] += 1


def _restore_champion(context: CycleContext, carer: Carer, looked: list[TargetState], states: _States) -> None:
    """Find the champion that the ledger has lost by what serves."""
    all_states = {pair: state for pair, state in states.items() if pair[1] == carer.pipeline}
    all_states |= {(state.target, state.pipeline): state for state in looked}
    served = {
        target: record
        for (target, _), state in all_states.items()
        if (run_id := _serves(state)) is not None and (record := carer.record(run_id)) is not None
    }
    found = lost_champion(carer.pipeline, served)
    if found is not None:
        since = max(promoted_at(record) for record in served.values() if record.run_id == found.run_id)
        carer.services.ledger.champions.crown(found, since=since)
        carer.champion = found
        context.done["champions found again"] += 1
        log.warning(
            "pipeline %s: the ledger had lost its champion; it is run %s again, by what serves and its record",
            carer.pipeline,
            found.run_id,
        )
        return
    serving = sorted({run_id for state in all_states.values() if (run_id := _serves(state)) is not None})
    records = [carer.record(run_id) for run_id in serving]
    # A pipeline's first model serves, and may be watched for long, before its run is promoted.
    if serving and not any(record is not None and record.outcome is None for record in records):
        cause = (
            f"the ledger does not know whose model serves: run {', '.join(serving)} does, which it does not know as"
            " promoted there"
        )
        context.add_findings(carer.pipeline, Aspect.TARGETS, [Finding(TroubleKind.CHAMPION_LOST, cause)])


def _serves(state: TargetState) -> str | None:
    """The run whose release serves on a target, as it was seen or is wanted."""
    if state.seen is not None and state.seen.live is not None:
        return state.seen.live.run_id
    wanted = [release for release in state.desired.releases if release.weight == 100] if state.desired else []
    return wanted[0].run_id if wanted else None


def _add_findings(context: CycleContext, states: _States) -> None:
    """Every target that differs, also those that were not due."""
    now = {(state.target, state.pipeline): state for state in context.services.ledger.targets.all()}
    for (target, pipeline), before in states.items():
        drift = now.get((target, pipeline), before).drift
        found = [Finding(TroubleKind.TARGET, f"target {target}: {drift}")] if drift else []
        context.add_findings(pipeline, Aspect.TARGETS, found)
