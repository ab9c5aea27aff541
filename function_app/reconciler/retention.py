"""Retention: what no rule keeps is removed, in small steps, each logged with its rule (``docs/retention.md``).

What must stay is read anew in every step, after what may go was found, and from the ledger, not from memory. Where
something that says so cannot be read, nothing of that pipeline goes in this cycle.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

from function_app.composition import Services
from function_app.reconciler.cycle_context import CycleContext
from function_app.reconciler.past_runs import History, in_use, past_run
from function_app.reconciler.run_history import purge_histories
from shared.decisions.delivery.retention import Fate, References, RetentionRule, fates, references
from shared.errors import EdgetrainError, PermanentError
from shared.messages import ReplyTo, RunRecord, RunRequest
from shared.oci.references import digest_of_image
from shared.oci.removal import image_of_run, remove_with_attachments

log = logging.getLogger(__name__)

EVERY = timedelta(hours=1)
MOST = 40
"""Images, records and histories that one step removes, each; the next cycle goes on."""
UNUSED_FOR = timedelta(days=1)
"""For so long nobody has stored, or found stored, a manifest or code that is removed: no admission may rely on it."""
_SOURCES = ("http", "bus")


async def keep_bounded(context: CycleContext) -> None:
    """One step of retention, every hour; in every cycle while there is more to do."""
    if not context.had_runs:
        return
    upkeep = context.services.ledger.upkeep
    with context.guard("remove what is kept no longer"):
        last = await asyncio.to_thread(upkeep.last, "retention")
        if last is not None and abs(context.now - last.at) < EVERY and last.seen != "more":
            return
        await asyncio.to_thread(upkeep.note, "retention", context.now, "")
        step = await asyncio.to_thread(Step.read, context)
        for pipeline in step.histories:
            with context.guard(f"remove images of past runs of pipeline {pipeline}"):
                await asyncio.to_thread(step.remove_images, pipeline)
            with context.guard(f"remove records of past runs of pipeline {pipeline}"):
                await asyncio.to_thread(step.remove_records, pipeline)
        with context.guard("remove old arrivals and claims"):
            await asyncio.to_thread(step.forget_arrivals)
        with context.guard("purge the histories of past orchestrations"):
            before = context.now - timedelta(days=context.services.settings.retention.keep_days)
            purged = await purge_histories(
                context.client, before=before, kept=step.kept_runs(), most=MOST, upkeep=upkeep, now=context.now
            )
            if purged:
                context.done[_HISTORIES] += purged
        removed = max((context.done[what] for what in _COUNTED), default=0)
        await asyncio.to_thread(upkeep.note, "retention", context.now, "more" if removed >= MOST else "")


_IMAGES, _RECORDS, _ROWS, _HISTORIES = "images removed", "records removed", "old rows removed", "histories purged"
_COUNTED = (_IMAGES, _RECORDS, _ROWS, _HISTORIES)


@dataclass
class Step:
    """One step: the histories of all pipelines as they were read, and what they refer to."""

    context: CycleContext
    histories: dict[str, History]
    fates: dict[str, dict[str, Fate]] = field(default_factory=dict)
    needed: dict[str, References] = field(default_factory=dict)
    waiting: list[tuple[str, ReplyTo]] = field(default_factory=list)

    @classmethod
    def read(cls, context: CycleContext) -> Step:
        """Read what there is, and judge it."""
        ledger = context.services.ledger
        waiting = ledger.outcome_subscriptions.unanswered()
        retried = {retry.run_id for retry in ledger.retries.all()}
        states = ledger.targets.all()
        histories = {
            name: History(name, {record.run_id: (record, request) for record, request in ledger.runs.history(name)})
            for name in context.had_runs or ()
        }
        step = cls(context, histories, waiting=waiting)
        for name, history in histories.items():
            targets = _targets_of(context.services, name)
            awaited = retried | {run_id for run_id, _ in waiting}
            use = in_use(history, ledger, states, targets=targets, awaited=awaited, now=context.now)
            runs = [past_run(record, request) for record, request in history.runs.values()]
            step.fates[name] = fates(runs, use, step.rule(name), context.now)
            kept = references(runs, step.fates[name])
            step.needed[name] = References(
                images=kept.images | frozenset(use.running), manifests=kept.manifests, code=kept.code
            )
        return step

    def rule(self, pipeline: str) -> RetentionRule:
        """As the settings say, or the pipeline's file."""
        settings = self.context.services.settings.retention
        releases = settings.keep_releases
        with suppress(EdgetrainError):
            releases = self.context.services.pipelines.get(pipeline).deliver.keep_releases or releases
        return RetentionRule(keep_releases=releases, keep_days=settings.keep_days)

    def kept_runs(self) -> set[str]:
        """The runs whose records stay."""
        return {run_id for found in self.fates.values() for run_id, fate in found.items() if fate.record is not None}

    def remove_images(self, pipeline: str) -> None:
        """Remove images from the registry, with what is attached to them; a target removes its own."""
        history, found = self.histories[pipeline], self.fates[pipeline]
        if all(fate.image is not None and fate.record is not None for fate in found.values()):
            return
        registry, repository = self.context.services.container_registry, f"models/{pipeline}"
        tags = history.tags = set(registry.tags(repository))
        doomed = {run_id for run_id, fate in found.items() if fate.image is None}
        removed = 0
        for run_id in sorted(doomed & tags):
            if removed == MOST:
                break
            digest = image_of_run(registry, repository, run_id, known=digest_of_image(history.runs[run_id][0].image))
            if not digest:  # the tag was moved; it is nothing of this run's any more
                tags.discard(run_id)
                continue
            wanted = self._wanted_now(pipeline)  # for each, since removing one takes a while
            if run_id in wanted or digest in self.needed[pipeline].images | wanted:
                continue
            remove_with_attachments(registry, repository, digest)
            tags.discard(run_id)
            removed += 1
            self._removed(_IMAGES, f"the image of run {run_id} from {repository}", found[run_id].rule)

    def remove_records(self, pipeline: str) -> None:
        """Remove all that is kept of runs by their records: manifest, code, decisions, rows; the row goes last."""
        history, removed = self.histories[pipeline], 0
        for run_id in sorted(run_id for run_id, fate in self.fates[pipeline].items() if fate.record is None):
            if removed == MOST:
                break
            record, request = history.runs[run_id]
            if history.tags is None or run_id in history.tags:
                continue  # its image first; a run that failed may have left one that its record does not name
            if request is None or self._remove_files(request):
                self._forget(record, request)
                removed += 1
                self._removed(_RECORDS, f"the record of run {run_id}", self.fates[pipeline][run_id].rule)

    def forget_arrivals(self) -> None:
        """Remove old arrivals, verdicts on windows, actions by hand, and claims of requests."""
        ledger, now = self.context.services.ledger, self.context.now
        days = self.context.services.settings.retention.keep_days
        before, gone = now - timedelta(days=days), 0
        for pipeline in self.histories:
            gone += ledger.arrivals.forget(pipeline, before=before, most=MOST)
            gone += ledger.arrivals.forget_counts(pipeline, now=now, most=MOST)
        gone += ledger.arrivals.forget_outside(before=before, most=MOST)
        gone += ledger.actions.forget(before=before, most=MOST)
        for source in _SOURCES:
            what = f"old claims of {source}"
            last = ledger.upkeep.last(what)
            went, following = ledger.requests.forget(
                source, before=before, most=5 * MOST, start=last.seen if last else ""
            )
            ledger.upkeep.note(what, now, following)
            gone += went
        if gone:
            self._removed(
                _ROWS, f"{gone} rows of arrivals, actions and claims", f"older than {days} days (keep_days)", gone
            )

    def _wanted_now(self, pipeline: str) -> set[str]:
        """Digests and runs that somebody wants since they were read: a roll-back to one, or a resumed run."""
        ledger = self.context.services.ledger
        wanted = {found.request.continues for found in ledger.runs.unfinished(pipeline)}
        wanted |= {action.to for action in ledger.actions.unfinished() if action.pipeline == pipeline}
        for state in ledger.targets.all():
            if state.pipeline == pipeline and state.desired is not None:
                wanted |= {digest_of_image(release.image) for release in state.desired.releases}
        return wanted - {""}

    def _remove_files(self, request: RunRequest) -> bool:
        """Remove the run's manifest and code, unless others refer to them; False when that has to wait."""
        services, snapshot = self.context.services, request.snapshot
        code = request.plan.job.tree if request.plan.job else ""
        orphaned = code and all(code not in kept.code for kept in self.needed.values())
        if orphaned and not services.frozen_jobs.remove(code, unused_for=UNUSED_FOR, now=self.context.now):
            return False
        trained = services.ledger.listings.trained(request.pipeline)
        last = {trained.snapshot.manifest, trained.snapshot.seen} if trained is not None else set()
        for name in {snapshot.manifest, snapshot.seen} - last - self.needed[request.pipeline].manifests - {""}:
            try:
                if not services.hubs.hub(snapshot.site).remove_manifest(name, unused_for=UNUSED_FOR):
                    return False
            except PermanentError as error:  # the site is gone, or the app may not delete there
                log.warning("manifest %s of site %s stays: %s", name, snapshot.site, error.reason)
        return True

    def _forget(self, record: RunRecord, request: RunRequest | None) -> None:
        ledger = self.context.services.ledger
        for target in {result.target for result in record.targets}:
            ledger.approvals.forget(record.run_id, target)
        ledger.built_images.forget(record.run_id)
        ledger.runs.forget(record, requested_by=request.requested_by if request else "")

    def _removed(self, counted: str, what: str, rule: str, number: int = 1) -> None:
        self.context.done[counted] += number
        log.info("removed %s: %s", what, rule)


def _targets_of(services: Services, pipeline: str) -> set[str]:
    with suppress(EdgetrainError):
        return {target.name for target in services.pipelines.get(pipeline).deliver.targets}
    return set()
