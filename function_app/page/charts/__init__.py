"""Charts as SVG, made here: no script, no style in them, no language, and nothing that colour alone tells apart.

Each takes what to show, the reader's words and a key that no other chart of the page has, and gives a :class:`Chart`:
the picture, and its data as a table for readers without sight. ``assets/charts.css`` has the colours.
"""

from function_app.page.charts.arrivals_calendar import (
    ArrivalsCalendar,
    Day,
    Expectation,
    arrivals_calendar,
)
from function_app.page.charts.canary import Canary, Step, StepState, canary
from function_app.page.charts.frame import Chart, Row, Table
from function_app.page.charts.metric_plot import MeasuredRun
from function_app.page.charts.run_metrics import RunMetrics, run_metrics
from function_app.page.charts.time_line import StageBar, StageState, TimeLine, time_line
from function_app.page.charts.words import Words

__all__ = [
    "ArrivalsCalendar",
    "Canary",
    "Chart",
    "Day",
    "Expectation",
    "MeasuredRun",
    "Row",
    "RunMetrics",
    "StageBar",
    "StageState",
    "Step",
    "StepState",
    "Table",
    "TimeLine",
    "Words",
    "arrivals_calendar",
    "canary",
    "run_metrics",
    "time_line",
]
