"""What a target serves, in a sentence. Pure."""

from shared.decisions.explanations.status_text import utc_text
from shared.messages import TargetState


def target_text(state: TargetState) -> str:
    """What was seen there last, and how it differs from what is wanted."""
    where = f"target {state.target}, pipeline {state.pipeline}"
    if state.seen is None or state.seen_at is None:
        said = "nobody has looked at it yet" if state.desired else "nothing was ever delivered there"
        return f"{where}: {said}" + (f"; {state.drift}" if state.drift else "")
    live, at = state.seen.live, utc_text(state.seen_at)
    if live is None:
        said = f"served nothing at {at}"
    else:
        since = f" since {utc_text(live.since)}" if live.since else ""
        share = "" if live.weight == 100 else f" with {live.weight} % of the traffic"
        said = f"served the release of run {live.run_id}{share}{since}, as seen at {at}"
    return f"{where}: {said}" + (f"; {state.drift}" if state.drift else "")
