"""What became of a blob of a pipeline whose file is gone or broken, so that only the ledger can be asked. Pure."""

from collections.abc import Mapping, Sequence

from shared.decisions.explanations.evidence import Explanation, Told
from shared.decisions.explanations.status_text import moment, standing
from shared.messages import RunRecord, Verdict


def explain_past(blob: str, standing_now: str, told: Sequence[Told], runs: Mapping[str, RunRecord]) -> Explanation:
    """The last verdict on the blob, and how the pipeline stands.

    ``told``: the events about it, newest first. ``runs``: those that verdicts name. ``standing_now``: why nothing
    more will be decided, as a sentence about the pipeline.
    """
    counts = (entry for entry in told if entry.verdict is not Verdict.DUPLICATE)
    event = next(counts, told[0] if told else None)
    if event is None:
        return Explanation(None, f"no event reported {blob}; {standing_now}")
    when = moment(event.arrival.occurred_at)
    if event.verdict is Verdict.JOINED:
        return Explanation(
            event.verdict, f"{blob} was reported at {when}, and whether to train it was never decided; {standing_now}"
        )
    run = runs.get(event.run_id or "")
    what = f"it is in run {run.run_id}, {standing(run)}" if run else event.reason
    return Explanation(event.verdict, f"{blob} was reported at {when}: {what}; {standing_now}", event.run_id)
