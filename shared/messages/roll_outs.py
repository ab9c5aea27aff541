"""What a roll-out to one target is asked to do."""

from dataclasses import dataclass, field

from shared.messages.roll_out_states import RolloutState
from shared.messages.runs import RunRecord
from shared.messages.serving import ApprovalRule, ServingResources, Strategy


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """The input of ``roll_out``: this image of this run to this target.

    ``schema`` 1: roll-outs from before there were plans; :data:`PLANNED_ROLLOUT`: by plans. ``model`` and ``version``:
    of the model in its registry. ``champion``: the run whose model should serve now, which tells the stable release
    from the rest of an interrupted canary. ``record``: of the run, to announce that a decision is awaited; None when
    nobody has to decide. ``state``: where it is.
    """

    run_id: str
    pipeline: str
    target: str
    image: str
    health_seconds: float = 60.0
    schema: int = 1
    strategy: Strategy = field(default_factory=Strategy)
    approval: ApprovalRule | None = None
    resources: ServingResources = field(default_factory=ServingResources)
    model: str = ""
    version: str = ""
    champion: str | None = None
    record: RunRecord | None = None
    state: RolloutState = field(default_factory=RolloutState)


PLANNED_ROLLOUT = 2
"""The schema of roll-outs by plans."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A container that runs beside the live one and gets no traffic yet. ``port`` on the VM's loopback."""

    name: str
    colour: str
    port: int
    already_live: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateStep:
    """A step of a roll-out for a candidate: verify it, switch to it, remove it."""

    rollout: Rollout
    candidate: Candidate


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What a target serves after a roll-out, and where."""

    endpoint: str
