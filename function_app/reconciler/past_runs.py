"""What the ledger knows of past runs, as retention needs it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from shared.decisions.delivery.retention import SEEN_WITHIN, InUse, PastRun
from shared.messages import Outcome, RunRecord, RunRequest, TargetState
from shared.oci.references import digest_of_image

if TYPE_CHECKING:
    from shared.clients.ledger import Ledger


@dataclass
class History:
    """Every run of a pipeline, by id. ``tags``: of its images in the registry; None until they were listed."""

    pipeline: str
    runs: dict[str, tuple[RunRecord, RunRequest | None]]
    tags: set[str] | None = None


def past_run(record: RunRecord, request: RunRequest | None) -> PastRun:
    """A run as the rules see it."""
    promoted = record.outcome is Outcome.PROMOTED
    return PastRun(
        run_id=record.run_id,
        pipeline=record.pipeline,
        at=record.ended_at or record.requested_at,
        finished=record.outcome is not None,
        image=digest_of_image(record.image),
        released_to=tuple(result.target for result in record.targets if result.deployed) if promoted else (),
        manifest=request.snapshot.manifest if request else "",
        code=request.plan.job.tree if request and request.plan.job else "",
    )


def in_use(
    history: History,
    ledger: Ledger,
    states: Iterable[TargetState],
    *,
    targets: Collection[str],
    awaited: Collection[str],
    now: datetime,
) -> InUse:
    """What the outside needs of a pipeline's runs. ``targets``: those that its file names; ``awaited``: run ids."""
    mine = {state.target: state for state in states if state.pipeline == history.pipeline}
    wanted = [release for state in mine.values() if state.desired for release in state.desired.releases]
    seen = [release for state in mine.values() if state.seen for release in state.seen.releases]
    images = [*(each.image for each in wanted), *(each.image for each in seen if each.image)]
    kept = [run_id for state in mine.values() if state.seen for run_id in state.seen.kept]
    released = {result.target for record, _ in history.runs.values() for result in record.targets if result.deployed}
    watched = {target for target, state in mine.items() if state.desired and state.desired.releases}
    watched |= released & set(targets)
    unfinished = [request for record, request in history.runs.values() if record.outcome is None and request]
    trained = ledger.listings.trained(history.pipeline)
    return InUse(
        champion=ledger.champions.champion(history.pipeline).run_id,
        running=frozenset(digest_of_image(image) for image in images),
        running_runs=frozenset([*(each.run_id for each in wanted), *(each.run_id for each in seen), *kept]),
        needed=frozenset(awaited)
        | {request.continues for request in unfinished if request.continues}
        | ({trained.run_id} if trained is not None else set()),
        unseen=sorted(target for target in watched if not _was_seen(mine.get(target), now)),
    )


def _was_seen(state: TargetState | None, now: datetime) -> bool:
    return state is not None and state.seen_at is not None and abs(now - state.seen_at) <= SEEN_WITHIN
