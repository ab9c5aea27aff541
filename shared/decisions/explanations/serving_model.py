"""The serving model and its data, in words: "trained already" does not mean that the model serves. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.messages import Outcome, RunRecord, Snapshot

_DIGITS = 12  # characters of a digest in sentences


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingModel:
    """The champion's run and its snapshot; None where it is not known any more."""

    run_id: str
    snapshot: Snapshot | None = None


def serving_text(serving: ServingModel | None, *, listing: str = "") -> str:
    """What serves, as a part of a sentence. ``listing``: of the data as they are now, see :class:`Snapshot`."""
    if serving is None:
        return "no model serves now"
    said = f"the model of run {serving.run_id} serves now"
    snapshot = serving.snapshot
    if snapshot is None:
        return said
    files = f"{snapshot.blobs} file{'' if snapshot.blobs == 1 else 's'}, snapshot {snapshot.digest[:_DIGITS]}"
    if not snapshot.content or not listing:  # older snapshots have another kind of digest
        return f"{said}; it was trained on {files}"
    if snapshot.listing == listing:
        return f"{said}; it was trained when the container held exactly the files of now ({files})"
    return (
        f"{said}; it was trained when the container held other files ({files}), and may have learned from files that"
        " have been changed or removed since"
    )


def serving_text_after_refusal(
    serving: ServingModel | None, previous: Sequence[RunRecord], run_id: str | None, *, listing: str = ""
) -> str:
    """What to add to the reason why run ``run_id`` is not repeated; ``previous``: attempts at the same fingerprint."""
    said = serving_text(serving, listing=listing)
    once = any(run.run_id == run_id and run.outcome is Outcome.PROMOTED for run in previous)
    if not once or serving is None or serving.run_id == run_id:
        return said
    return f"{said}; to train and judge the present files again, request the run with force"
