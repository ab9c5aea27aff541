"""Two runs side by side: for an operator who compares them, and for every run beside the champion's."""

import asyncio
from collections import OrderedDict
from typing import Protocol

from function_app.api import delivery_models as d
from function_app.api import models as m
from function_app.composition import Services
from function_app.problems import RefusedError
from shared.decisions.explanations import side_by_side
from shared.decisions.snapshots.differences import differences
from shared.errors import EdgetrainError
from shared.messages import RunRecord, RunRequest, Snapshot
from shared.values.texts import shortened

SECONDS = 10.0
"""How long a run's view waits for the hub; the manifests of a large container take a moment."""
_REMEMBERED = 64
_known: OrderedDict[tuple[str, str, str], d.FileChanges] = OrderedDict()  # manifests never change


class _Reader(Protocol):
    def __call__(self, left: Snapshot | None, right: Snapshot | None) -> tuple[d.FileChanges | None, str]: ...


def compare_runs(query: m.CompareQuery, services: Services) -> d.Compared:
    """What differs between two runs, of one pipeline or of two."""
    runs = services.ledger.runs
    left, right = runs.run(query.left), runs.run(query.right)
    for name, run_id, record in (("left", query.left, left), ("right", query.right, right)):
        if record is None:
            detail = f"there is no run {run_id!r}; GET /api/runs lists them"
            raise RefusedError(404, "unknown_run", detail, field=name)
    assert left is not None  # noqa: S101 - for the type checker
    assert right is not None  # noqa: S101
    return compared(left, right, services)


async def beside_champion(record: RunRecord, services: Services) -> d.Compared | None:
    """The run beside the champion that it was, or will be, judged against; None when there is none."""
    if record.outcome is not None:
        other = record.champion_run_id
    else:
        other = (await asyncio.to_thread(services.ledger.champions.champion, record.pipeline)).run_id
    if other is None or other == record.run_id:
        return None
    left = await asyncio.to_thread(services.ledger.runs.run, other)
    if left is None:
        return None
    try:
        return await asyncio.wait_for(asyncio.to_thread(compared, left, record, services), SECONDS)
    except TimeoutError:
        return _compared(left, record, services, lambda _, __: (None, "the hub did not answer in time"))


def compared(left: RunRecord, right: RunRecord, services: Services) -> d.Compared:
    """What differs between two runs; reads their manifests."""
    return _compared(left, right, services, lambda one, other: _files(one, other, services))


def _compared(left: RunRecord, right: RunRecord, services: Services, files_of: _Reader) -> d.Compared:
    requests = [services.ledger.runs.request(run.run_id) for run in (left, right)]
    one, other = (_run(run, request) for run, request in zip((left, right), requests, strict=True))
    files, unknown = files_of(*(request.snapshot if request else None for request in requests))
    metric = requests[1].plan.rule.metric if requests[1] else ""
    return d.Compared(
        left=one,
        right=other,
        parameters=tuple(
            d.ComparedValue(name=pair.name, left=pair.left, right=pair.right)
            for pair in side_by_side.parameters_that_differ(one.parameters, other.parameters)
        ),
        files=files,
        files_unknown=unknown,
        metrics=_metrics(left, right),
        comparable=side_by_side.are_comparable(left, right),
        interval=side_by_side.interval_between(left, right),
        sentence=side_by_side.sentence(left, right, metric),
    )


def _run(record: RunRecord, request: RunRequest | None) -> d.ComparedRun:
    return d.ComparedRun(
        run_id=record.run_id,
        pipeline=record.pipeline,
        outcome=record.outcome,
        stage=record.stage,
        requested_at=record.requested_at,
        snapshot=record.snapshot_digest,
        files=record.blobs,
        code=request.plan.job.tree if request and request.plan.job else "",
        holdout=record.holdout,
        evaluator=record.evaluator,
        parameters=dict(request.parameters) if request else {},
        metrics=record.metrics,
        image=record.image,
    )


def _metrics(left: RunRecord, right: RunRecord) -> tuple[d.ComparedMetric, ...]:
    return tuple(
        d.ComparedMetric(
            name=name,
            left=left.metrics.get(name),
            right=right.metrics.get(name),
            difference=right.metrics[name] - left.metrics[name]
            if name in left.metrics and name in right.metrics
            else None,
        )
        for name in sorted({*left.metrics, *right.metrics})
    )


def _files(left: Snapshot | None, right: Snapshot | None, services: Services) -> tuple[d.FileChanges | None, str]:
    """How the files differ, or why that is not known. What was found is remembered: a manifest never changes."""
    if left is None or right is None:
        return None, "the ledger does not know the files of a run"
    if left.site != right.site:
        return None, "the runs trained on data of two sites"
    key = (left.site, left.manifest, right.manifest)
    if key not in _known:
        try:
            hub = services.hubs.hub(left.site)
            found = differences(hub.entries_of(left.manifest), hub.entries_of(right.manifest))
        except (EdgetrainError, ValueError) as error:
            return None, f"a manifest cannot be read: {shortened(error)}"
        _known[key] = d.FileChanges(
            added=found.added,
            removed=found.removed,
            changed=found.changed,
            first_added=tuple(found.first_added),
            first_removed=tuple(found.first_removed),
            first_changed=tuple(found.first_changed),
        )
        while len(_known) > _REMEMBERED:
            _known.popitem(last=False)
    return _known[key], ""
