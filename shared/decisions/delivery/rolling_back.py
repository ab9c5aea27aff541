"""Which release serves on a target, and which one a roll-back goes to when nobody names one. Pure."""

from collections.abc import Mapping
from datetime import datetime

from shared.messages import Outcome, RunRecord, TargetState


def serving_run(known: TargetState) -> str | None:
    """The run whose release should get most of the traffic there, else the one that was seen to; None for nothing."""
    wanted = [release for release in known.desired.releases if release.weight] if known.desired else []
    if wanted:
        return max(wanted, key=lambda release: release.weight).run_id
    return known.seen.live.run_id if known.desired is None and known.seen is not None and known.seen.live else None


def release_before(bad: str, record: RunRecord | None, known: TargetState, kept: Mapping[str, RunRecord]) -> str | None:
    """The release that served before: the champion that the bad one was judged against if it is kept, else the newest.

    ``kept``: the records of the releases that the target keeps.
    """
    beside = {release.run_id for release in known.desired.releases} if known.desired else set()
    promoted = {run_id: run for run_id, run in kept.items() if run_id != bad and run.outcome is Outcome.PROMOTED}
    if record is not None and record.champion_run_id in {*promoted, *(beside - {bad})}:
        return record.champion_run_id
    older = {
        run_id: run
        for run_id, run in promoted.items()
        if record is None or (run.requested_at, run_id) < (record.requested_at, bad)
    }
    return max(older or promoted, key=lambda run_id: _ended(promoted[run_id]), default=None)


def _ended(run: RunRecord) -> datetime:
    return run.ended_at or run.requested_at
