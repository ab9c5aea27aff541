"""Troubles of pipelines: kept while they are found, logged once per change, removed when resolved."""

import asyncio
import logging
from collections.abc import Collection, Iterable

from function_app.reconciler.cycle_context import CycleContext
from shared.alert_lines import SILENT_AFTER, SITE_SILENT
from shared.decisions.reconciliation.troubles import GONE, Aspect, Finding, changes, merge_findings
from shared.messages import Trouble, TroubleKind
from shared.pipelines import Pipelines

log = logging.getLogger(__name__)


async def check_pipeline_files(context: CycleContext) -> None:
    """Check the pipelines' files: broken, overlapping with others, or removed while there are runs of them."""
    known = context.services.pipelines
    for name, found in files_found(known).items():
        context.add_findings(name, Aspect.FILE, found)
    with context.guard("list the pipelines that have had runs"):
        context.had_runs = await asyncio.to_thread(context.services.ledger.runs.pipelines)
        for name in context.had_runs:
            if not known.has_file(name):
                context.add_findings(name, Aspect.FILE, [Finding(TroubleKind.REMOVED, GONE)])


async def record_troubles(context: CycleContext) -> None:
    """Keep this cycle's findings in place of the previous ones."""
    with context.guard("record what is wrong with the pipelines"):
        await asyncio.to_thread(_keep, context)


def files_found(known: Pipelines) -> dict[str, list[Finding]]:
    """Pipeline (or name of an invalid file) -> what is wrong with its file."""
    fine = {each.name: [Finding(TroubleKind.OVERLAP, what) for what in known.overlaps(each.name)] for each in known.all}
    return fine | {name: [Finding(TroubleKind.BROKEN_FILE, reason)] for name, reason in known.broken.items()}


def _keep(context: CycleContext) -> None:
    kept = context.services.ledger.troubles.all()
    good = {each.name for each in context.services.pipelines.all}
    for name in sorted({*kept, *context.findings}):
        before = kept.get(name, ())
        after = merge_findings(before, _findings_by_aspect(context, name, good), context.now)
        if after != before:
            context.services.ledger.troubles.keep(name, after)
            _tell(name, before, after)
        for trouble in after:
            if trouble.kind in _SILENT and context.now - trouble.since >= SILENT_AFTER:
                since = trouble.since.isoformat(timespec="minutes")
                log.warning("%s pipeline %s, since %s: %s", SITE_SILENT, name, since, trouble.cause)


def _findings_by_aspect(context: CycleContext, name: str, good: Collection[str]) -> dict[Aspect, list[Finding]]:
    """The findings in the aspects that this cycle checked; aspects that do not apply any more have none."""
    findings = dict(context.findings.get(name, {}))
    if name not in good:
        findings |= {Aspect.DATA: [], Aspect.NAMES: [], Aspect.ARRIVALS: []}
    if context.undecided is not None and name not in context.undecided:
        findings[Aspect.WINDOWS] = []
    if context.had_runs is not None and Aspect.FILE not in findings:  # neither a file nor a run of that name is left
        findings[Aspect.FILE] = []
    return findings


def _tell(name: str, before: Iterable[Trouble], after: Iterable[Trouble]) -> None:
    new, over = changes(before, after)
    for trouble in new:
        level = logging.INFO if trouble.kind in _MAY_BE_MEANT else logging.WARNING
        log.log(level, "pipeline %s: %s; %s", name, trouble.cause, trouble.remedy)
    for trouble in over:
        log.info("pipeline %s: resolved: %s", name, trouble.cause)


_SILENT = frozenset({TroubleKind.UNREACHABLE, TroubleKind.REFUSED})
_MAY_BE_MEANT = frozenset({TroubleKind.OVERLAP, TroubleKind.REMOVED})
