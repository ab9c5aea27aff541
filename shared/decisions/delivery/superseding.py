"""Roll-outs that wait for somebody's approval give way: to a newer run that is ready, and to what operators do. Pure.

A wait may take days, and while it lasts the run has the delivery of its pipeline. Whoever takes its place decides for
it: by the same row of the ledger that people decide in, of which the first one stays. So a run is either approved and
rolled out, or superseded, and never both; what has begun to move is never interrupted.
"""

from datetime import datetime

from shared.decisions.explanations.actors import actor_text
from shared.messages import Action, ActionKind, Approval, ComputeTicket, RolloutPhase, RunRequest
from shared.values.texts import shortened

NEWER_AND_READY = "it has newer data, and would be promoted as far as is known"
RESUMED = "somebody resumed it"


def why_it_takes_over(action: Action) -> str:
    """The reason of an action for which runs that wait give way."""
    what = "retires the pipeline" if action.kind is ActionKind.RETIRE else f"rolls {action.target} back"
    return f"{actor_text(action.by)} {what}: {shortened(action.reason, 200)}"


def gives_way(request: RunRequest, ticket: ComputeTicket) -> bool:
    """Whether a run gives way, once it waits for approval, to who asks for the delivery after it."""
    if not ticket.takes_over or request.plan.delivery.approval is None or request.pipeline != ticket.pipeline:
        return False
    older, newer = request.snapshot.taken_at, ticket.data_at
    return older is None or newer is None or older <= newer


def superseded(request: RunRequest, *, by: str, why: str, now: datetime) -> list[Approval]:
    """The decision for each of the run's targets; those that somebody decided about before keep that decision."""
    return [
        Approval(run_id=request.run_id, target=target.name, approved=False, superseded_by=by, reason=why, at=now)
        for target in request.plan.targets
    ]


def only_waits(phases: list[RolloutPhase | None]) -> bool:
    """Whether a run does nothing but wait for approval. ``phases``: of its roll-outs under way; None: not known."""
    return bool(phases) and all(phase is RolloutPhase.APPROVAL for phase in phases)
