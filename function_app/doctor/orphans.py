"""What was left behind: windows that nobody decides on, and runs that hold a compute after their end."""

from datetime import UTC, datetime, timedelta
from typing import Final

from function_app.composition import Services
from shared.doctor import Check, Kind, Seen, ok, wrong
from shared.values.texts import counted

LATE: Final = timedelta(hours=1)
"""Beyond what a window may take; the reconciler looks every two minutes."""


def _windows(services: Services, name: str) -> Seen:
    longest = next((each.settle.longest_wait_seconds for each in services.pipelines.all if each.name == name), 0.0)
    before = datetime.now(UTC) - timedelta(seconds=longest) - LATE
    every = [each for each in services.ledger.arrivals.unfinished_windows() if each.window.pipeline == name]
    left = [each for each in every if each.opened_at < before]
    if not left:
        return ok(f"{counted(len(every), 'window')} open" if every else "none is open")
    oldest = min(each.opened_at for each in left)
    return wrong(f"{counted(len(left), 'window')} without a verdict, the oldest since {oldest:%Y-%m-%d %H:%M} UTC")


def _leases(services: Services, name: str) -> Seen:
    state, now = services.ledger.computes.state(name), datetime.now(UTC)
    for lease in state.holders:
        record = services.ledger.runs.run(lease.run_id)
        if now - lease.granted_at < LATE:
            continue
        if record is None:
            return wrong(f"run {lease.run_id} holds it, and the ledger does not know such a run")
        if record.outcome is not None and (record.ended_at is None or now - record.ended_at > LATE):
            return wrong(f"run {lease.run_id} holds it, and has ended as {record.outcome.value}")
    return ok(f"{counted(len(state.holders), 'run')} at work, {len(state.waiting)} waiting")


CHECKS: Final = (
    Check(
        name="orphans.windows",
        about=Kind.PIPELINE,
        wanted="every window of arrivals is decided on in time",
        why="files that arrived have no verdict, and are not trained on",
        remedy="see watch.alive; the reconciler takes up what is left, and its log says why it cannot",
        look=_windows,
        before_deployment=False,
    ),
    Check(
        name="orphans.leases",
        about=Kind.COMPUTE,
        wanted="only runs that are under way hold the compute",
        why="other runs wait for it",
        remedy="the next run that asks for the compute takes its place: edgetrain start PIPELINE; the log says why it"
        " was not given back",
        look=_leases,
        before_deployment=False,
    ),
)
