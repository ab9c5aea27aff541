"""The ``why`` operation: collect the evidence about a blob; the rules are in ``shared.decisions.explanations``."""

import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

import azure.durable_functions as df

from activities.admission_evaluation import serving_model
from function_app.api import models as m
from function_app.api.hub_threads import at_a_hub
from function_app.api.known_pipelines import has_history, removal
from function_app.api.lists import active_quarantines, arrival_views, open_window
from function_app.api.run_views import run_view
from function_app.composition import Services
from function_app.refusals import of_old_secrets
from shared.clients.ledger import RecordedArrival
from shared.decisions.explanations.blob_verdict import explain
from shared.decisions.explanations.evidence import Evidence, Explanation, ListedIn
from shared.decisions.explanations.removed_pipeline import explain_past
from shared.decisions.explanations.serving_model import ServingModel
from shared.errors import PermanentError, TransientError
from shared.formats.manifest import BlobEntry
from shared.messages import RejectedEvent, RunRecord
from shared.pipelines import Pipeline

NEWEST_RUNS = 20
MOST_ENTRIES = 500_000  # limit of manifest bytes read for one answer; takes a second or two
_NEWEST_REJECTED = 100


class SiteStorage(Protocol):
    """The reads of a site's blob storage that ``why`` needs."""

    def blob(self, pipeline: Pipeline, name: str) -> BlobEntry | None:
        """The blob as it is now."""

    def find_in_manifest(self, manifest: str, blob: str) -> BlobEntry | None:
        """The blob as a manifest lists it."""


@dataclass(frozen=True, slots=True)
class Search:
    """What the newest snapshots list of a blob, and the runs whose snapshots were searched."""

    listed_in: ListedIn | None
    searched_runs: frozenset[str]


async def why(query: m.WhyQuery, services: Services, client: df.DurableOrchestrationClient) -> m.Why:
    """One verdict, one sentence, and the evidence for them."""
    answer, run_id = await at_a_hub(_found, query, services)
    run = await asyncio.to_thread(services.ledger.runs.run, run_id) if run_id else None
    return replace(answer, run=await run_view(client, services, run)) if run else answer


def _found(asked: m.WhyQuery, services: Services) -> tuple[m.Why, str | None]:
    """The answer without its run, and that run's id."""
    try:
        services.pipelines.get(asked.pipeline)
    except PermanentError as error:
        if not has_history(asked.pipeline, services):
            raise
        return _past(asked, services, error)
    evidence, events = collect(asked, services, datetime.now(UTC))
    found = explain(evidence)
    return _answer(evidence, found, events), found.run_id


def _past(asked: m.WhyQuery, services: Services, error: PermanentError) -> tuple[m.Why, str | None]:
    """The answer from the ledger alone, for a pipeline whose file is broken or removed."""
    troubles = services.ledger.troubles.of(asked.pipeline)
    gone = not services.pipelines.has_file(asked.pipeline)
    now = removal(asked.pipeline, troubles)[0] if gone else error.reason
    events = services.ledger.arrivals.arrivals_of(asked.pipeline, asked.blob)
    found = explain_past(asked.blob, now, events, _named_by(events, (), services))
    return (
        m.Why(
            pipeline=asked.pipeline,
            blob=asked.blob,
            verdict=found.verdict,
            sentence=found.sentence,
            blob_now=None,
            arrivals=arrival_views(events),
            run=None,
            troubles=troubles,
        ),
        found.run_id,
    )


def collect(asked: m.WhyQuery, services: Services, now: datetime) -> tuple[Evidence, Sequence[RecordedArrival]]:
    """The evidence, and the events among it, newest first."""
    pipeline = services.pipelines.get(asked.pipeline)
    arrivals = services.ledger.arrivals
    events = arrivals.arrivals_of(pipeline.name, asked.blob)
    outside_events = arrivals.arrivals_of(None, asked.blob)
    runs = services.ledger.runs.list_runs([pipeline.name], limit=NEWEST_RUNS).items
    entry, found, trouble = _ask_the_hub(pipeline, asked.blob, runs, services)
    now_serving = serving_model(pipeline.name, services.ledger.champions, services.ledger.runs)
    evidence = Evidence(
        pipeline=pipeline,
        blob=asked.blob,
        now=now,
        events=events,
        outside_events=outside_events,
        rejected_events=_mentioning(asked.blob, arrivals.list_rejected(limit=_NEWEST_REJECTED).items),
        entry=entry,
        trouble=trouble,
        listed_in=found.listed_in,
        searched_runs=found.searched_runs,
        serving=now_serving,
        serving_has_it=entry is None and not trouble and _is_in(now_serving, pipeline, asked.blob, services),
        runs=_named_by(events, runs, services),
        window=open_window(pipeline, services),
        quarantines=active_quarantines(pipeline, services),
        troubles=services.ledger.troubles.of(pipeline.name),
    )
    return evidence, sorted([*events, *outside_events], key=lambda entry: entry.arrival.occurred_at, reverse=True)


def search(storage: SiteStorage, pipeline: str, blob: str, runs: Sequence[RunRecord]) -> Search:
    """Search the snapshots of runs for the blob, newest first; each snapshot once, up to a limit of bytes."""
    searched_runs: set[str] = set()
    absent: set[str] = set()
    entries = 0
    for run in runs:
        if run.snapshot_digest not in absent:
            entries += run.blobs
            if absent and entries > MOST_ENTRIES:
                break
            entry = storage.find_in_manifest(f"{pipeline}/{run.snapshot_digest}.json", blob)
            if entry is not None:
                return Search(ListedIn(run=run, entry=entry), frozenset({*searched_runs, run.run_id}))
            absent.add(run.snapshot_digest)
        searched_runs.add(run.run_id)
    return Search(None, frozenset(searched_runs))


def _ask_the_hub(
    pipeline: Pipeline, blob: str, runs: Sequence[RunRecord], services: Services
) -> tuple[BlobEntry | None, Search, str]:
    """The blob now, and in snapshots. When the site does not answer, the evidence is the ledger's alone.

    Raises :class:`TransientError` when it was refused with a secret that has been rotated since.
    """
    # HTTP resolves "." and "..", and no storage takes a NUL in a name: such a name cannot be requested.
    if "\0" in blob or not {".", ".."}.isdisjoint(blob.split("/")):
        return None, Search(None, frozenset()), ""
    generation = services.generation
    try:
        storage: SiteStorage = services.hubs.hub(pipeline.data.site)
        return storage.blob(pipeline, blob), search(storage, pipeline.name, blob, runs), ""
    except PermanentError as error:
        if (changed := of_old_secrets(error, services, generation)) is not None:
            raise changed from None
        return None, Search(None, frozenset()), error.reason
    except TransientError as error:
        return None, Search(None, frozenset()), str(error)


def _is_in(known: ServingModel | None, pipeline: Pipeline, blob: str, services: Services) -> bool:
    """Whether the serving model was trained on the blob, as far as its manifest can be read."""
    if known is None or known.snapshot is None or known.snapshot.site != pipeline.data.site:
        return False
    try:
        storage: SiteStorage = services.hubs.hub(pipeline.data.site)
        return storage.find_in_manifest(known.snapshot.manifest, blob) is not None
    except (PermanentError, TransientError):
        return False


def _mentioning(blob: str, rejected: Iterable[RejectedEvent]) -> list[RejectedEvent]:
    named = json.dumps(f"/blobs/{blob}")[1:]  # as it ends a subject in the event's text: escaped, with the quote
    return [event for event in rejected if named in event.text]


def _named_by(events: Iterable[RecordedArrival], runs: Iterable[RunRecord], services: Services) -> dict[str, RunRecord]:
    """The runs that the verdicts refer to, by id."""
    known = {run.run_id: run for run in runs}
    for run_id in {entry.run_id for entry in events if entry.run_id} - set(known):
        run = services.ledger.runs.run(run_id)
        if run is not None:
            known[run_id] = run
    return known


def _answer(evidence: Evidence, found: Explanation, events: Sequence[RecordedArrival]) -> m.Why:
    entry = evidence.entry
    now = m.BlobView(etag=entry.etag, size=entry.size, last_modified=entry.last_modified) if entry else None
    return m.Why(
        pipeline=evidence.pipeline.name,
        blob=evidence.blob,
        verdict=found.verdict,
        sentence=found.sentence,
        blob_now=now,
        arrivals=arrival_views(events),
        run=None,
        troubles=tuple(evidence.troubles),
    )
