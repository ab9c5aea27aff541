"""What is said about decisions on a run's roll-out. Pure."""

from collections.abc import Sequence

from shared.decisions.explanations.status_text import utc_text
from shared.messages import Approval, RunRecord, Stage


def decided(wish: Approval, now: Sequence[str], held: Sequence[str]) -> str:
    """A decision was taken, or the same had been taken before. ``now``: for these targets; ``held``: it holds for."""
    word = "approved" if wish.approved else "rejected"
    then = "is rolled out there" if wish.approved else "is not rolled out there"
    if not now:
        return f"run {wish.run_id} was {word} already for {', '.join(held)}"
    return f"run {wish.run_id} is {word} for {', '.join(now)}: its model {then}"


def superseded_while_waiting(kept: Approval) -> str:
    """A roll-out that gave way while it waited for somebody."""
    return (
        f"while it waited for approval it was superseded by {kept.superseded_by} ({kept.reason}); nobody rejected it,"
        " and to have it after all, start a run with force"
    )


def decided_otherwise(kept: Approval) -> str:
    """Somebody decided the other way before."""
    if kept.superseded_by:
        return f"run {kept.run_id} is not rolled out to {kept.target}: {superseded_while_waiting(kept)}"
    word = "approved" if kept.approved else "rejected"
    when = f" at {utc_text(kept.at)}" if kept.at else ""
    why = f" ({kept.reason})" if kept.reason else ""
    then = "roll the target back" if kept.approved else "start a run with force"
    if not kept.by:
        return f"nobody decided in time, so run {kept.run_id} was {word} for {kept.target}{when}; {then}"
    return f"{kept.by} {word} run {kept.run_id} for {kept.target}{when}{why}, and the first decision stays; {then}"


def has_ended(record: RunRecord) -> str:
    """Nothing waits any more."""
    ended = record.outcome.value.replace("_", " ") if record.outcome else ""
    return f"run {record.run_id} has ended ({ended}), so nothing of it waits for a decision"


def needs_none(run_id: str, pipeline: str) -> str:
    """The pipeline asks nobody."""
    return (
        f"run {run_id} needs no approval: pipeline {pipeline} had no deliver.approval when it was admitted; it can be"
        " cancelled"
    )


def no_such_target(wish: Approval, known: str) -> str:
    """A target that the run does not go to."""
    return f"run {wish.run_id} is not rolled out to a target {wish.target!r}; its targets: {known}"


def not_there_yet(run_id: str, stage: Stage | None) -> str:
    """Nobody can judge a model that is not there."""
    where = f"it is in stage {stage.value}" if stage else "it has not begun"
    return (
        f"run {run_id} waits for no decision yet: {where}; decide when it is in stage {Stage.ROLLING_OUT.value}; it"
        " can be cancelled before"
    )
