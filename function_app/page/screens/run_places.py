"""Where a run's model goes: each target with its phase, the canary as it goes, and how it ended."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from function_app.api.models import RunView
from function_app.page.screens.statuses import count_in, moment_in, text_in
from shared.decisions.delivery.canary import ALPHA
from shared.messages import CanaryStep, RunRequest, TargetResult

EVIDENCE_LIMIT: Final = 1 / ALPHA
"""From here on the new model goes back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step of a canary. ``verdict``: empty while it goes; ``counted``: whether its numbers are known."""

    weight: int
    verdict: str
    going: bool = False
    to_come: bool = False
    counted: bool = False
    requests: int = 0
    errors: int = 0
    stable_requests: int = 0
    stable_errors: int = 0
    evidence: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A target. ``result``: how the roll-out ended, None while it goes; ``phase``: where it is until then, or empty."""

    name: str
    result: TargetResult | None
    phase: str
    reason: str
    decide_until: datetime | None
    next_look_at: datetime | None
    steps: tuple[Step, ...]


def places_of(run: RunView, request: RunRequest | None) -> tuple[Place, ...]:
    """The targets that the run is, was or will be rolled out to."""
    ended = {result.target: result for result in run.targets}
    planned = [target.name for target in request.plan.targets] if request else []
    told = (run.progress or {}).get("roll_outs")
    going: Mapping[str, Any] = told if isinstance(told, Mapping) else {}
    weights = request.plan.delivery.strategy.steps if request else ()
    names = [*planned, *(name for name in ended if name not in planned)]
    return tuple(_place(name, ended.get(name), going.get(name), weights) for name in names)


def _place(name: str, result: TargetResult | None, told: object, weights: tuple[int, ...]) -> Place:
    said: Mapping[str, Any] = told if isinstance(told, Mapping) else {}
    return Place(
        name=name,
        result=result,
        phase=text_in(said.get("phase")),
        reason=result.reason if result else text_in(said.get("reason")),
        decide_until=moment_in(said.get("decide_until")),
        next_look_at=moment_in(said.get("next_look_at")),
        steps=tuple(map(_ended, result.canary)) if result else _going(said, weights),
    )


def _ended(step: CanaryStep) -> Step:
    return Step(
        weight=step.weight,
        verdict=step.verdict.value,
        counted=True,
        requests=step.requests,
        errors=step.errors,
        stable_requests=step.stable_requests,
        stable_errors=step.stable_errors,
        evidence=step.evidence,
    )


def _going(said: Mapping[str, Any], weights: tuple[int, ...]) -> tuple[Step, ...]:
    """The steps as far as the progress tells of them; a roll-out that an earlier version began tells of fewer."""
    at = said.get("step")
    if not isinstance(at, int):
        return ()
    ended = said.get("ended")
    past = list(ended)[: at - 1] if isinstance(ended, list) else []
    known = dict(enumerate(past, start=1)) | {at: said}
    return tuple(_step(weight, number, at, known.get(number)) for number, weight in enumerate(weights, start=1))


def _step(weight: int, number: int, at: int, said: object) -> Step:
    """One of them. ``said``: its numbers, where they are told."""
    if not isinstance(said, Mapping):
        return Step(weight=weight, verdict="passed" if number < at else "", to_come=number > at)
    evidence = said.get("evidence")
    return Step(
        weight=weight,
        verdict=text_in(said.get("verdict")),
        going=number == at,
        counted=True,
        requests=count_in(said.get("requests")),
        errors=count_in(said.get("errors")),
        stable_requests=count_in(said.get("stable_requests")),
        stable_errors=count_in(said.get("stable_errors")),
        evidence=float(evidence) if isinstance(evidence, int | float) else None,
    )
