"""Run: what it was asked for, where it stands, what it learnt, how it was judged, what left the site, what serves now.

Bounded: at most eleven requests to the ledger for any run, and one for each target where somebody must approve; the hub
is waited for :data:`PATIENCE` seconds at most, for how the files differ.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import azure.durable_functions as df

from function_app.api.comparisons import compared
from function_app.api.delivery_models import Compared, ComparedRun, FileChanges
from function_app.api.models import RunView
from function_app.api.runs import look_at
from function_app.composition import Services
from function_app.page.charts import Chart
from function_app.page.decisions import Decision, decisions_of
from function_app.page.screens.run_charts import canary_chart, stages_chart
from function_app.page.screens.run_judgement import Judged, judged
from function_app.page.screens.run_places import EVIDENCE_LIMIT, Place, places_of
from function_app.page.screens.run_stages import spans_of
from function_app.page.screens.serving_now import serving_now
from function_app.page.screens.statuses import moment_in, text_in
from function_app.page.serving import Asked
from function_app.page.texts import Words
from shared.decisions.delivery.resuming import is_resumable
from shared.messages import Cancellation, Outcome, RunRecord, RunRequest, Stage

PATIENCE: Final = 0.5
MOST_NAMES: Final = 5
_AGAIN, _RESUMED = "again-", "resume-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Since:
    """How the files differ from those of an earlier run. ``files``: None when that is not known, then ``why``."""

    run_id: str
    in_use: bool
    files: FileChanges | None
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """When a stage under way is expected to end. ``usual_seconds``: how long a training usually takes."""

    at: datetime
    late: bool
    usual_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What a run under way is at: words of its stage's own orchestration, where they say something."""

    phase: str
    detail: str
    position: int | None
    reason: str
    next_try_at: datetime | None
    tries: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The screen. ``again``: the run whose failure led to this attempt. ``others``: runs to compare this one with.

    ``stages``: how long each took; ``canaries``: target -> its canary; ``serves``: the targets where its model serves.
    """

    run: RunView
    request: RunRequest | None
    again: str
    stages: Chart | None
    expected: Expected | None
    progress: Progress
    deciding: tuple[Decision, ...]
    since: tuple[Since, ...]
    only_new: bool
    judged: Judged
    places: tuple[Place, ...]
    canaries: Mapping[str, Chart]
    cancellation: Cancellation | None
    resumable: bool
    serves: tuple[str, ...]
    others: tuple[tuple[str, bool], ...]
    most: int = MOST_NAMES
    evidence_limit: float = EVIDENCE_LIMIT


async def view(asked: Asked, services: Services, client: df.DurableOrchestrationClient) -> Shown:
    """One run."""
    known = await look_at(asked.route["run_id"], services, client, patience=PATIENCE)
    run, request = known.view, known.request
    before, cancellation, serves = await asyncio.gather(
        asyncio.to_thread(_beside_the_one_before, run, services),
        asyncio.to_thread(_cancellation, run, services),
        asyncio.to_thread(_serves, run, services),
    )
    progress: Mapping[str, Any] = run.progress or {}
    places = places_of(run, request)
    requested_by = request.requested_by if request else ""
    return Shown(
        run=run,
        request=request,
        again=requested_by.removeprefix(_AGAIN) if requested_by.startswith(_AGAIN) else "",
        stages=stages_chart(spans_of(run, asked.words.now), run, asked.words),
        expected=_expected(run, progress, asked.words.now),
        progress=_progress(progress),
        deciding=decisions_of(run),
        since=_since(run, before),
        only_new=bool(request and request.snapshot.seen),
        judged=judged(run, request.plan.rule if request else None),
        places=places,
        canaries=_canaries(places, request, asked.words),
        cancellation=cancellation,
        resumable=is_resumable(run),
        serves=serves,
        others=_others(run, before),
    )


def _beside_the_one_before(run: RunRecord, services: Services) -> Compared | None:
    before = services.ledger.runs.before(run)
    return compared(before, run, services, patience=PATIENCE) if before else None


def _cancellation(run: RunRecord, services: Services) -> Cancellation | None:
    if run.outcome not in {None, Outcome.CANCELLED}:
        return None
    return services.ledger.runs.cancellation(run.run_id)


def _serves(run: RunRecord, services: Services) -> tuple[str, ...]:
    if not any(result.deployed for result in run.targets):
        return ()
    places = serving_now(run.pipeline, services.ledger.targets.all())
    return tuple(place.target for place in places if place.run_id == run.run_id)


def _since(run: RunView, before: Compared | None) -> tuple[Since, ...]:
    """The run before, and the model in use where that is of another run."""
    beside = run.beside
    found = [] if before is None else [_files(before, in_use=beside is not None and _is_of(beside.left, before))]
    if beside is not None and (before is None or not _is_of(beside.left, before)):
        found.append(_files(beside, in_use=True))
    return tuple(found)


def _files(found: Compared, *, in_use: bool) -> Since:
    return Since(run_id=found.left.run_id, in_use=in_use, files=found.files, why=found.files_unknown)


def _is_of(run: ComparedRun, found: Compared) -> bool:
    return run.run_id == found.left.run_id


def _others(run: RunView, before: Compared | None) -> tuple[tuple[str, bool], ...]:
    """Runs to compare this one with, and whether each one's model was in use."""
    found = [(run.beside.left.run_id, True)] if run.beside else []
    if before is not None and before.left.run_id not in {run_id for run_id, _ in found}:
        found.append((before.left.run_id, False))
    return tuple(found)


def _canaries(places: tuple[Place, ...], request: RunRequest | None, words: Words) -> Mapping[str, Chart]:
    least = request.plan.delivery.strategy.least_requests if request else 0
    charts = {place.name: canary_chart(place.name, place.steps, least, words) for place in places}
    return {name: chart for name, chart in charts.items() if chart is not None}


def _expected(run: RunView, progress: Mapping[str, Any], now: datetime) -> Expected | None:
    """When the training ends, or the machine becomes free; None where nothing tells."""
    if run.outcome is not None:
        return None
    if run.stage is Stage.WAITING:
        free = moment_in(progress.get("free_at"))
        return Expected(at=free, late=free < now) if free else None
    seconds = progress.get("expected_seconds")
    if run.stage is not Stage.TRAINING or run.since is None or not isinstance(seconds, int | float):
        return None
    at = run.since + timedelta(seconds=seconds)
    return Expected(at=at, late=at < now, usual_seconds=seconds)


def _progress(said: Mapping[str, Any]) -> Progress:
    position = said.get("position", said.get("queue_position"))
    return Progress(
        phase=text_in(said.get("phase")),
        detail=text_in(said.get("detail")),
        position=position if isinstance(position, int) else None,
        reason=text_in(said.get("reason")),
        next_try_at=moment_in(said.get("next_try_at")),
        tries=text_in(said.get("tries")),
    )
