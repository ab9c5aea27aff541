"""The stages of a run and the canaries of its model as charts. Pure."""

from collections.abc import Sequence
from typing import Final

from function_app.api.models import RunView
from function_app.page.charts import Canary, Chart, StageBar, StageState, StepState, TimeLine, canary, time_line
from function_app.page.charts import Step as Bars
from function_app.page.screens.run_places import EVIDENCE_LIMIT, Step
from function_app.page.screens.run_stages import Span
from function_app.page.stage_names import stage_name
from function_app.page.texts import Words
from shared.messages import Outcome, Stage

_BADLY: Final = frozenset({Outcome.FAILED, Outcome.ROLLED_BACK})
_STATES: Final = {"passed": StepState.PASSED, "inconclusive": StepState.INCONCLUSIVE}
"""Of verdicts after which the next step begins; after the others the new model goes back."""


def stages_chart(stages: Sequence[Span], run: RunView, words: Words) -> Chart | None:
    """How long the run was in each stage; None when nothing is known of its stages."""
    if not stages:
        return None
    bars = [
        StageBar(
            label=stage_name(each.stage, words),
            state=_state(each, run.outcome),
            began=each.began,
            ended=each.ended,
            duration="" if each.began is None else words.duration(each.seconds),
        )
        for each in stages
    ]
    begun = min(each.began for each in stages if each.began is not None)
    ends = words.clock(run.ended_at) if run.ended_at else words.text("now")
    return time_line(TimeLine(stages=bars, now=words.now, began=words.clock(begun), ends=ends), words, "stages")


def canary_chart(target: str, steps: Sequence[Step], least_requests: int, words: Words) -> Chart | None:
    """The new model beside the one before on a target, step by step; None without a canary."""
    if not steps:
        return None
    bars = [
        Bars(
            weight=each.weight,
            state=_step_state(each),
            requests=each.requests,
            errors=each.errors,
            stable_requests=each.stable_requests,
            stable_errors=each.stable_errors,
            evidence=each.evidence,
        )
        for each in steps
    ]
    return canary(Canary(steps=bars, least_requests=least_requests, limit=EVIDENCE_LIMIT), words, f"canary-{target}")


def _state(span: Span, outcome: Outcome | None) -> StageState:
    if span.began is None:
        return StageState.TO_COME
    if span.ended is None:
        return StageState.UNDER_WAY
    if span.here and outcome in _BADLY:
        return StageState.FAILED
    return StageState.WAITED if span.stage == Stage.WAITING else StageState.DONE


def _step_state(step: Step) -> StepState:
    if step.to_come:
        return StepState.TO_COME
    return StepState.UNDER_WAY if step.going else _STATES.get(step.verdict, StepState.AGAINST)
