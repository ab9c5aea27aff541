"""What a run asks before it waits for its compute."""

from dataclasses import dataclass

from shared.messages.admission import FrozenJob

PREFLIGHT_SCHEMA = 6
"""Run requests of this schema and later ask first whether what they need is there."""

FEWER_STEPS_SCHEMA = 7
"""Run requests of this schema and later take no step for what an earlier one has told already, or does on its way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """Look at what the training of a run needs: its site, its compute, and the image that its code trains in."""

    run_id: str
    pipeline: str
    site: str
    compute: str
    job: FrozenJob | None = None
