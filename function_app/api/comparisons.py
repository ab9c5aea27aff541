"""Two runs side by side: for an operator who compares them, and for every run beside the champion's."""

import asyncio

from function_app.api import delivery_models as d
from function_app.api import models as m
from function_app.api.file_changes import SECONDS, file_changes
from function_app.composition import Services
from function_app.problems import RefusedError
from shared.decisions.explanations import side_by_side
from shared.messages import RunRecord, RunRequest


def compare_runs(query: m.CompareQuery, services: Services) -> d.Compared:
    """What differs between two runs, of one pipeline or of two."""
    runs = services.ledger.runs
    left, right = runs.run(query.left), runs.run(query.right)
    for name, run_id, record in (("left", query.left, left), ("right", query.right, right)):
        if record is None:
            detail = f"there is no run {run_id!r}; the list of runs has them all"
            raise RefusedError(404, "unknown_run", detail, field=name)
    assert left is not None  # noqa: S101 - for the type checker
    assert right is not None  # noqa: S101
    return compared(left, right, services)


async def beside_champion(record: RunRecord, services: Services, *, patience: float = SECONDS) -> d.Compared | None:
    """The run beside the champion that it was, or will be, judged against; None when there is none.

    ``patience``: so many seconds the hub is waited for.
    """
    if record.outcome is not None or record.rules:
        other = record.champion_run_id
    else:
        other = (await asyncio.to_thread(services.ledger.champions.champion, record.pipeline)).run_id
    if other is None or other == record.run_id:
        return None
    left = await asyncio.to_thread(services.ledger.runs.run, other)
    if left is None:
        return None
    return await asyncio.to_thread(compared, left, record, services, patience=patience)


def compared(left: RunRecord, right: RunRecord, services: Services, *, patience: float = SECONDS) -> d.Compared:
    """What differs between two runs; reads their manifests."""
    requests = [services.ledger.runs.request(run.run_id) for run in (left, right)]
    one, other = (_run(run, request) for run, request in zip((left, right), requests, strict=True))
    before, after = (request.snapshot if request else None for request in requests)
    files, unknown = file_changes(before, after, services, patience=patience)
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
