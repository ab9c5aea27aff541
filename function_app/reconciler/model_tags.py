"""Stage tags of registered models: brought in line with the ledger's champions, again and again."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

from function_app.composition import Services
from function_app.reconciler.cycle_context import CycleContext
from shared.decisions.delivery.model_stages import stage_changes
from shared.decisions.reconciliation.spreading import room
from shared.errors import EdgetrainError, TransientError

log = logging.getLogger(__name__)

EVERY = timedelta(minutes=10)


async def keep_model_tags(context: CycleContext) -> None:
    """Look at a pipeline's versions when its champion has changed, and at most every ten minutes."""
    left = room(len(context.had_runs or ()))  # whose ten minutes are over; a new champion's tags do not wait
    for pipeline in context.had_runs or ():
        answers = True
        with context.guard(f"bring the tags of pipeline {pipeline}'s registered models in line"):
            try:
                left -= await _keep(context, pipeline, in_turn=left > 0)
            except TransientError:
                answers = False
                raise
        if not answers:  # its SDK waits long for each answer, and the other pipelines' models are there too
            return


async def _keep(context: CycleContext, pipeline: str, *, in_turn: bool) -> bool:
    """Whether the versions were looked at because their time had come."""
    services = context.services
    ledger, what = services.ledger, f"model tags of {pipeline}"
    last = await asyncio.to_thread(ledger.upkeep.last, what)
    champion = await asyncio.to_thread(ledger.champions.champion, pipeline)
    seen = json.loads(last.seen) if last and last.seen else {"champion": None, "names": []}
    since = abs(context.now - last.at) if last else EVERY
    is_new = seen["champion"] != champion.run_id
    if not is_new and (since < EVERY or not in_turn):
        return False
    names = _names(services, pipeline, champion.model, seen["names"])
    await asyncio.to_thread(ledger.upkeep.note, what, context.now, json.dumps(seen | {"names": names}))
    unfinished = {found.request.training for found in await asyncio.to_thread(ledger.runs.unfinished, pipeline)}
    request = await asyncio.to_thread(ledger.runs.request, champion.run_id) if champion.run_id else None
    trainer = request.training if request else champion.run_id  # versions carry the run that trained them
    for name in names:
        changed = await asyncio.to_thread(_tag, services, pipeline, name, trainer, unfinished)
        if changed:
            context.done["models tagged"] += changed
    now_seen = json.dumps({"champion": champion.run_id, "names": names})
    await asyncio.to_thread(ledger.upkeep.note, what, context.now, now_seen)
    return not is_new


def _tag(services: Services, pipeline: str, name: str, champion: str | None, unfinished: set[str]) -> int:
    registry = services.model_registry
    changes = stage_changes(registry.versions(pipeline, name=name), champion=champion, unfinished=unfinished)
    for change in changes:
        registry.tag(change)
        log.info("version %d of model %s is %s now", change.version, name, change.tags["stage"])
    return len(changes)


def _names(services: Services, pipeline: str, champions: str | None, before: Sequence[str]) -> list[str]:
    """The models that the pipeline registers, or has registered under another name."""
    names = {*before, *([champions] if champions else [])}
    with suppress(EdgetrainError):  # its file is broken or gone
        names.add(services.pipelines.get(pipeline).deliver.model)
    return sorted(names)
