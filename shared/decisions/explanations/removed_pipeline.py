"""Explain a blob of a pipeline whose file is removed or broken, from the ledger alone. Pure."""

from collections.abc import Mapping, Sequence

from shared.decisions.explanations.evidence import Explanation, JudgedEvent
from shared.decisions.explanations.status_text import run_status_text, utc_text
from shared.messages import RunRecord, Verdict


def explain_past(
    blob: str, pipeline_status: str, events: Sequence[JudgedEvent], runs: Mapping[str, RunRecord]
) -> Explanation:
    """The last verdict on the blob, and the pipeline's status.

    ``events``: the events about it, newest first. ``runs``: those that the verdicts name. ``pipeline_status``: why
    nothing more will be decided, as a sentence about the pipeline.
    """
    counts = (entry for entry in events if entry.verdict is not Verdict.DUPLICATE)
    event = next(counts, events[0] if events else None)
    if event is None:
        return Explanation(None, f"no event reported {blob}; {pipeline_status}")
    when = utc_text(event.arrival.occurred_at)
    if event.verdict is Verdict.JOINED:
        return Explanation(
            event.verdict,
            f"{blob} was reported at {when}, and whether to train it was never decided; {pipeline_status}",
        )
    run = runs.get(event.run_id or "")
    what = f"it is in run {run.run_id}, {run_status_text(run)}" if run else event.reason
    return Explanation(event.verdict, f"{blob} was reported at {when}: {what}; {pipeline_status}", event.run_id)
