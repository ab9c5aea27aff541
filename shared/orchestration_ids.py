"""The ids of a run's sub-orchestrations, one function each. Pure.

Target names are chosen by operators, so the id of a roll-out has a part of its own: a target called ``training`` would
otherwise get the id of the run's training. Runs from before :data:`shared.messages.FAIR_COMPARISON_SCHEMA` keep their
ids.
"""

import hashlib

from shared.messages import FAIR_COMPARISON_SCHEMA, RunRequest

LONGEST = 100  # characters that the Durable extension takes


def compute_id(run_id: str) -> str:
    """Waits for the run's compute."""
    return f"{run_id}-compute"


def training_id(run_id: str) -> str:
    """Submits the run's training and polls it."""
    return f"{run_id}-training"


def delivery_id(run_id: str) -> str:
    """Waits until no other run of the pipeline delivers."""
    return f"{run_id}-delivery"


def registration_id(run_id: str) -> str:
    """Registers the run's model."""
    return f"{run_id}-registration"


def image_id(run_id: str) -> str:
    """Builds the run's image."""
    return f"{run_id}-image"


def finalization_id(run_id: str) -> str:
    """Ends a run whose own orchestration is gone."""
    return f"{run_id}-wind-up"


def goal_id(owner: str, target: str) -> str:
    """Brings one target to a plan: for a finalization or an action, or for a run whose other target failed."""
    plain = f"{owner}-goal-{target}"
    if len(plain) <= LONGEST:
        return plain
    return f"{owner[:70]}-goal-{hashlib.sha256(plain.encode('utf-8')).hexdigest()[:12]}"


def children_of(request: RunRequest) -> tuple[str, ...]:
    """Every orchestration that the run's own may have started; they outlive it when it is terminated."""
    run_id = request.run_id
    own = (compute_id, training_id, delivery_id, registration_id, image_id)
    targets = [target.name for target in request.plan.targets]
    return (
        *(name(run_id) for name in own),
        *(roll_out_id(request, target) for target in targets),
        *(goal_id(run_id, target) for target in targets),
    )


def roll_out_id(request: RunRequest, target: str) -> str:
    """Rolls the run's image out to one of its targets."""
    if request.schema < FAIR_COMPARISON_SCHEMA:
        return f"{request.run_id}-{target}"
    plain = f"{request.run_id}-target-{target}"
    if len(plain) <= LONGEST:
        return plain
    return f"{request.run_id}-target-{hashlib.sha256(target.encode('utf-8')).hexdigest()[:12]}"
