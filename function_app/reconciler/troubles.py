"""What is wrong with pipelines: kept while it is found, told in the log once per change, forgotten when it is over."""

import asyncio
import logging
from collections.abc import Collection, Iterable

from function_app.reconciler.cycle_context import Pass
from shared.decisions.reconciliation.troubles import GONE, Aspect, Found, after_looks, changes
from shared.messages import Trouble, TroubleKind
from shared.pipelines import Pipelines

log = logging.getLogger(__name__)


async def check_pipeline_files(this: Pass) -> None:
    """Find what is wrong with the pipelines' files: broken, sharing blobs, or gone while their runs are there."""
    known = this.services.pipelines
    for name, found in files_found(known).items():
        this.finds(name, Aspect.FILE, found)
    with this.guard("list the pipelines that have had runs"):
        this.had_runs = await asyncio.to_thread(this.services.ledger.runs.pipelines)
        for name in this.had_runs:
            if not known.has_file(name):
                this.finds(name, Aspect.FILE, [Found(TroubleKind.REMOVED, GONE)])


async def keep_troubles(this: Pass) -> None:
    """Keep what this pass found, in place of what the one before did."""
    with this.guard("keep what is wrong with the pipelines"):
        await asyncio.to_thread(_keep, this)


def files_found(known: Pipelines) -> dict[str, list[Found]]:
    """Pipeline, or file that is none -> what is wrong with its file; nothing for most."""
    fine = {each.name: [Found(TroubleKind.OVERLAP, what) for what in known.overlaps(each.name)] for each in known.all}
    return fine | {name: [Found(TroubleKind.BROKEN_FILE, reason)] for name, reason in known.broken.items()}


def _keep(this: Pass) -> None:
    kept = this.services.ledger.troubles.all()
    good = {each.name for each in this.services.pipelines.all}
    for name in sorted({*kept, *this.looks}):
        before = kept.get(name, ())
        after = after_looks(before, _looks(this, name, good), this.now)
        if after != before:
            this.services.ledger.troubles.keep(name, after)
            _tell(name, before, after)


def _looks(this: Pass, name: str, good: Collection[str]) -> dict[Aspect, list[Found]]:
    """What was found in the aspects that this pass looked at; in those that there is nothing to look at, nothing."""
    looks = dict(this.looks.get(name, {}))
    if name not in good:
        looks |= {Aspect.DATA: [], Aspect.NAMES: []}
    if this.undecided is not None and name not in this.undecided:
        looks[Aspect.WINDOWS] = []
    if this.had_runs is not None and Aspect.FILE not in looks:  # neither a file nor a run of that name is left
        looks[Aspect.FILE] = []
    return looks


def _tell(name: str, before: Iterable[Trouble], after: Iterable[Trouble]) -> None:
    new, over = changes(before, after)
    for trouble in new:
        level = logging.INFO if trouble.kind in _MAY_BE_MEANT else logging.WARNING
        log.log(level, "pipeline %s: %s; %s", name, trouble.cause, trouble.remedy)
    for trouble in over:
        log.info("pipeline %s: this is over: %s", name, trouble.cause)


_MAY_BE_MEANT = frozenset({TroubleKind.OVERLAP, TroubleKind.REMOVED})
