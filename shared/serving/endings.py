"""Why a candidate failed: one sentence with a remedy for each cause."""

import re
from dataclasses import dataclass

from shared.errors import Code, PermanentError
from shared.messages import CandidateStep
from shared.serving.containers import Container
from shared.training_code.scoring_images import SCORING_PORT
from shared.values.texts import LONGEST

_KILLED = 137  # exit code of what was ended by SIGKILL
_INIT_FAILED = 3  # exit code of the scoring server when init() raises
_NOT_RUNNABLE = frozenset({126, 127})
# What gunicorn says of a worker that the kernel killed; the container lives on, and with it the next worker.
_WORKER_KILLED = re.compile(r"sent SIGKILL|out of memory", re.IGNORECASE)
_SCORE_PY = "correct the pipeline's score.py or its requirements"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """What the target reports about a candidate. ``exit_code``: of its last end, None when it is not known."""

    container: Container | None
    exit_code: int | None
    log: str

    @property
    def out_of_memory(self) -> bool:
        """Whether it, or a process in it, was killed for lack of memory."""
        killed = self.container is not None and self.container.oom_killed
        return killed or self.exit_code == _KILLED or _WORKER_KILLED.search(self.log) is not None


def candidate_failed(step: CandidateStep, what: str) -> PermanentError:
    """The error for a candidate that must not go live; ``what`` is the reason."""
    reason = f"candidate {step.candidate.name} of run {step.rollout.run_id} on {step.rollout.target} {what}"
    return PermanentError(reason, code=Code.CANDIDATE_FAILED)


def why_it_ended(signs: Signs) -> str:
    """The sentence for a candidate that does not run, or not since its start; all these complete "candidate X ..."."""
    if signs.out_of_memory:
        return _out_of_memory(signs)
    code = signs.exit_code
    if code in _NOT_RUNNABLE:
        return _with_log(
            f"cannot start its scoring server (exit code {code})",
            signs,
            "make the dependency image again: edgetrain dependency-image",
        )
    if code == _INIT_FAILED:
        return _with_log("died at start: init() of its score.py failed (exit code 3)", signs, _SCORE_PY)
    how = "it keeps restarting" if code is None else f"exit code {code}"
    return _with_log(f"died at start ({how})", signs, _SCORE_PY)


def why_it_is_not_healthy(signs: Signs, *, status: int | None, seconds: float) -> str:
    """The sentence for a candidate that runs, but whose health check does not pass; ``status``: its answer, if any."""
    if signs.out_of_memory:
        return _out_of_memory(signs)
    within = f"within {seconds:.0f} s"
    if status is None:
        return _with_log(
            f"was not healthy {within}: nothing answers on its port {SCORING_PORT}",
            signs,
            "if its init() needs longer, raise health_seconds of the target in the pipeline's file; "
            f"an image of your own must listen on port {SCORING_PORT} of all its addresses",
        )
    return _with_log(f"was not healthy {within}: it answers {status} to GET /", signs, _SCORE_PY)


def why_it_does_not_score(signs: Signs, *, status: int | None) -> str:
    """The sentence for a candidate that is healthy, but does not answer the smoke sample with 200."""
    if signs.out_of_memory:
        return _out_of_memory(signs)
    if status is None:
        return _with_log("did not answer the smoke sample", signs, _SCORE_PY)
    return _with_log(f"answered {status} to the smoke sample: run() of its score.py failed", signs, _SCORE_PY)


def _out_of_memory(signs: Signs) -> str:
    limit = signs.container.memory if signs.container is not None else 0
    allowed = f"{limit / 2**20:.0f} MiB" if limit else "what the VM has"
    how = "ran out of memory" if signs.exit_code is None else "was killed, most often because it ran out of memory"
    exit_code = "" if signs.exit_code is None else f" (exit code {signs.exit_code})"
    raise_it = "raise deliver.resources.memory in the pipeline's file (for example to 2g)"
    return f"{how}{exit_code}: it may use {allowed}; {raise_it}, or make the model smaller"


def _with_log(what: str, signs: Signs, remedy: str) -> str:
    end = signs.log if len(signs.log) <= LONGEST else f"...{signs.log[-LONGEST:]}"
    log = f"; its log ends: {end}" if signs.log else ""
    return f"{what}{log}; {remedy}"
