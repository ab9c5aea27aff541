"""The numbers of a pipeline's runs as charts. Pure."""

from collections.abc import Sequence
from typing import Final

from function_app.page.charts import Chart, MeasuredRun, RunMetrics, run_metrics
from function_app.page.texts import Words
from shared.messages import Outcome, RunRecord
from shared.pipelines.training import Judge

_HIGHER: Final = "higher"
_Numbers = tuple[float | None, float | None, float | None]
"""A value and the ends of its interval."""


def metric_chart(judge: Judge, runs: Sequence[RunRecord], champion: str | None, words: Words) -> Chart:
    """The metric that decides, over the runs that have ended; ``runs``: the newest first."""
    measured = [_measured(run, champion, words, (run.metrics.get(judge.metric), None, None)) for run in _ended(runs)]
    shown = RunMetrics(
        metric=judge.metric, runs=measured, floor=judge.floor, higher_is_better=judge.direction == _HIGHER
    )
    return run_metrics(shown, words, "metric")


def comparison_chart(runs: Sequence[RunRecord], champion: str | None, words: Words) -> Chart | None:
    """How each new model's loss differed from the loss of the one in use then, with its interval; None without any."""
    measured = [
        _measured(run, champion, words, (run.comparison.difference, run.comparison.low, run.comparison.high))
        for run in _ended(runs)
        if run.comparison is not None
    ]
    if not measured:
        return None
    name = words.text("Loss less that of the model in use then")
    return run_metrics(RunMetrics(metric=name, runs=measured, higher_is_better=False), words, "comparison")


def _ended(runs: Sequence[RunRecord]) -> list[RunRecord]:
    return [run for run in reversed(runs) if run.outcome is not None]


def _measured(run: RunRecord, champion: str | None, words: Words, numbers: _Numbers) -> MeasuredRun:
    value, low, high = numbers
    return MeasuredRun(
        run=run.run_id,
        day=run.requested_at.astimezone(words.zone).date(),
        value=value,
        low=low,
        high=high,
        champion=run.run_id == champion,
        promoted=run.outcome is Outcome.PROMOTED,
        measured_with=f"{run.holdout} {run.evaluator}",
    )
