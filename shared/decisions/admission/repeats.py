"""Whether a fingerprint needs a new attempt, was trained already, or is being trained. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.decisions.explanations.status_text import quarantine_status_text
from shared.decisions.snapshots.omissions import FAULTY, described, saw_all
from shared.errors import Code, PermanentError
from shared.formats.size_limits import trouble_with
from shared.messages import Outcome, Parameters, Quarantine, RunRecord, Scalar, Verdict


@dataclass(frozen=True, slots=True)
class NewAttempt:
    """Train it, as this attempt (from 1)."""

    attempt: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """Do not train it: run ``run_id`` did, or is doing so."""

    run_id: str
    verdict: Verdict
    reason: str


def decide_attempt(
    previous: Sequence[RunRecord], *, force: bool = False, quarantine: Quarantine | None = None
) -> NewAttempt | Refusal:
    """The decision on a fingerprint, given the records of every earlier attempt at it.

    A failed, cancelled or rolled back attempt may be repeated, since its cause (such as a VM that was off) can be
    repaired without any change of the data. One whose model was judged may not, since the same data, code and
    parameters would lead to the same judgement, unless ``force`` is set. An attempt without comparison to the champion
    was not judged, and one that could not read all of its data did not train them; both may be repeated. Nothing is
    tried while the fingerprint is being trained, or while a ``quarantine`` of it is active; one that came of a
    roll-back counts before anything else.
    """
    if not previous:
        return NewAttempt(attempt=1)
    last = max(previous, key=lambda run: run.attempt)
    if last.outcome is None:
        return under_way(last.run_id)
    if quarantine is not None and quarantine.active and quarantine.rolled_back:
        return Refusal(run_id=last.run_id, verdict=Verdict.QUARANTINED, reason=quarantine_status_text(quarantine))
    judged = [run for run in previous if came_to_a_verdict(run) and saw_all(run)]
    if judged and not force:
        return _trained_already(max(judged, key=lambda run: run.attempt))
    if quarantine is not None and quarantine.active:
        return Refusal(run_id=last.run_id, verdict=Verdict.QUARANTINED, reason=quarantine_status_text(quarantine))
    return NewAttempt(attempt=last.attempt + 1)


def came_to_a_verdict(run: RunRecord) -> bool:
    """Whether the run's model was judged; not promoting it for want of a comparison does not count."""
    return run.outcome is Outcome.PROMOTED or (run.outcome is Outcome.NOT_PROMOTED and run.comparable)


def _trained_already(run: RunRecord) -> Refusal:
    ended = run.outcome.value.replace("_", " ") if run.outcome else ""
    reason = f"nothing changed: run {run.run_id} already trained exactly this data, code and parameters ({ended})"
    reason += described(entry for entry in run.left_out if entry.why == FAULTY)
    return Refusal(run_id=run.run_id, verdict=Verdict.UNCHANGED, reason=reason)


def nothing_new(run_id: str) -> Refusal:
    """The refusal when a pipeline with ``select: new`` has no new files since that run."""
    reason = f"nothing changed: run {run_id}, or a run before it, has trained every file that is there"
    return Refusal(run_id=run_id, verdict=Verdict.UNCHANGED, reason=reason)


def under_way(run_id: str) -> Refusal:
    """The refusal while another run trains the same fingerprint."""
    reason = f"run {run_id} is training exactly this data, code and parameters now"
    return Refusal(run_id=run_id, verdict=Verdict.TRAINED, reason=reason)


def effective_parameters(declared: Parameters, overrides: Parameters) -> Parameters:
    """The pipeline's parameters with the request's own; raises :class:`PermanentError` naming a bad one.

    Only declared parameters may be given, each of its declared kind; a whole number will do for a number.
    """
    merged = dict(declared)
    for name, value in overrides.items():
        if name not in declared:
            known = ", ".join(sorted(declared)) or "none"
            raise PermanentError(
                f"parameters: {name!r} is not declared in the pipeline's file; declared: {known}", code=Code.BAD_REQUEST
            )
        merged[name] = _as_declared(name, declared[name], value)
    trouble = trouble_with(merged)
    if trouble:
        raise PermanentError(f"parameters: {trouble}", code=Code.BAD_REQUEST)
    return merged


def _as_declared(name: str, declared: Scalar, value: Scalar) -> Scalar:
    if type(declared) is float and type(value) is int:
        return float(value)
    if type(declared) is not type(value):
        wanted = type(declared).__name__
        reason = f"parameters: {name} must be of kind {wanted}, not {type(value).__name__}"
        raise PermanentError(reason, code=Code.BAD_REQUEST)
    return value
