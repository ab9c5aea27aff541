"""What serves now, from what the ledger has of the targets."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from shared.messages import TargetState


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """What one target serves: the run of its release, since when; ``drift``: how it differs from what is wanted."""

    target: str
    run_id: str | None
    since: datetime | None
    drift: str


def serving_now(pipeline: str, states: Iterable[TargetState], planned: Iterable[str] = ()) -> tuple[Serving, ...]:
    """The pipeline's targets, and those that its file plans, in order of their names."""
    known = {state.target: state for state in states if state.pipeline == pipeline}
    return tuple(_served(name, known.get(name)) for name in sorted({*known, *planned}))


def _served(name: str, state: TargetState | None) -> Serving:
    live = state.seen.live if state is not None and state.seen is not None else None
    return Serving(
        target=name,
        run_id=live.run_id if live else None,
        since=live.since if live else None,
        drift=state.drift if state else "",
    )
