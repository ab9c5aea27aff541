"""The stages of a run: when each began and how long it took, and those to come."""

from dataclasses import dataclass
from datetime import datetime

from function_app.api.models import RunView
from shared.messages import Stage

ORDER = (Stage.WAITING, Stage.TRAINING, Stage.JUDGING, Stage.DELIVERING, Stage.ROLLING_OUT)

STAGES = tuple(Stage)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stage. ``began``: None for one to come; ``ended``: None for one under way.

    ``here``: the run is, or ended, in it.
    """

    stage: str
    began: datetime | None = None
    ended: datetime | None = None
    seconds: float | None = None
    here: bool = False


def spans_of(run: RunView, now: datetime) -> tuple[Span, ...]:
    """The stages that the run came to, in their order, and those to come while it is under way."""
    reached = {Stage(name): at for name, at in run.reached.items() if name in set(Stage)}
    if run.outcome is None:
        reached.setdefault(run.stage, run.since or run.requested_at)
    if not reached:
        return ()
    began = sorted(reached.items(), key=lambda pair: (pair[1], STAGES.index(pair[0])))
    last = run.ended_at or max(now, began[-1][1])
    ends = [*(at for _, at in began[1:]), run.ended_at]
    spans = [
        Span(
            stage=stage.value,
            began=at,
            ended=end,
            seconds=max(0.0, ((end or last) - at).total_seconds()),
            here=at == began[-1][1] and stage is began[-1][0],
        )
        for (stage, at), end in zip(began, ends, strict=True)
    ]
    return (*spans, *(Span(stage=stage.value) for stage in _to_come(run, reached)))


def _to_come(run: RunView, reached: dict[Stage, datetime]) -> tuple[Stage, ...]:
    if run.outcome is not None:
        return ()
    place = ORDER.index(run.stage) + 1 if run.stage in ORDER else 0
    left = ORDER[place:] if run.stage in {*ORDER, Stage.ACCEPTED} else ()
    return tuple(stage for stage in left if stage not in reached)
