"""Every chart on one page to look at: ``python -m tests.support.chart_gallery FOLDER`` writes it and its pictures."""

import math
import random
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from html import escape
from pathlib import Path

from function_app.page import charts
from function_app.page.charts import Chart, Expectation, StageState, StepState
from tests.support.page_words import EnglishWords

CSS = Path(charts.__file__).parents[1] / "assets" / "charts.css"
SIZES = {"wide": (1180, 1850), "phone": (360, 3900), "small": (320, 3900)}
_WORDS = EnglishWords()
_NOW = datetime(2026, 11, 29, 11, 30, tzinfo=UTC)


def metrics(count: int, *, floor: float | None = 0.8, center: float = 0.88) -> charts.RunMetrics:
    chance = random.Random(count)
    runs, best = [], 0.0
    for index in range(count):
        value = center + 0.04 * math.tanh((index - count / 2) / 9) + chance.gauss(0, 0.008)
        missing, promoted = count > 6 and index % 11 == 5, value > best
        best = max(best, value)
        runs.append(
            charts.MeasuredRun(
                run=f"admissions-{index:04d}",
                day=date(2026, 9, 1) + timedelta(days=index),
                value=None if missing else value,
                low=value - 0.012,
                high=value + 0.01,
                promoted=promoted and not missing,
                measured_with="new" if count > 20 and index >= count * 2 // 3 else "old",
            )
        )
    last = max((index for index, run in enumerate(runs) if run.promoted), default=None)
    if last is not None:
        runs[last] = charts.MeasuredRun(
            **{name: getattr(runs[last], name) for name in runs[last].__slots__} | {"champion": True}
        )
    return charts.RunMetrics(metric="auc", runs=runs, floor=floor)


def calendar(weeks: int, most: int) -> charts.ArrivalsCalendar:
    chance = random.Random(weeks)
    today = _NOW.date()
    days = []
    for back in range(weeks * 7 - 4):
        day = today - timedelta(days=back)
        files = 0 if day.weekday() > 4 else int(most ** chance.random())
        missed = day.weekday() == 2 and chance.random() < 0.2
        expectation = Expectation.DUE if back == 0 else Expectation.MISSED if missed else Expectation.NONE
        days.append(
            charts.Day(
                day=day,
                files=files if missed and chance.random() < 0.5 else 0 if missed else files,
                expectation=expectation,
            )
        )
    return charts.ArrivalsCalendar(days=days)


def line(*, ended: bool) -> charts.TimeLine:
    at = [_NOW - timedelta(minutes=each) for each in (95, 94, 61, 12, 9, 6)]
    passed = (
        ("Accepted", StageState.DONE, "1 min"),
        ("Waiting for gpu-vm", StageState.WAITED, "33 min"),
        ("Training", StageState.DONE, "49 min"),
        ("Comparing with the champion", StageState.DONE, "3 min"),
        ("Delivering", StageState.DONE, "3 min"),
    )
    stages = [
        charts.StageBar(label=label, state=state, began=began, ended=end, duration=duration)
        for (label, state, duration), began, end in zip(passed, at, at[1:], strict=False)
    ]
    last, recording = StageState.UNDER_WAY, [charts.StageBar(label="Recording", state=StageState.TO_COME)]
    if ended:
        last, recording = StageState.FAILED, []
    rolling_out = charts.StageBar(
        label="Rolling out", state=last, began=at[5], ended=_NOW if ended else None, duration="6 min"
    )
    return charts.TimeLine(
        stages=[*stages, rolling_out, *recording], now=_NOW, began="29 Nov, 09:55", ends="29 Nov, 11:30"
    )


def step(weight: int, state: StepState, new: tuple[int, int], before: tuple[int, int], evidence: float) -> charts.Step:
    return charts.Step(
        weight=weight,
        state=state,
        errors=new[0],
        requests=new[1],
        stable_errors=before[0],
        stable_requests=before[1],
        evidence=evidence,
    )


def canary(*, bad: bool) -> charts.Canary:
    few = step(1, StepState.INCONCLUSIVE, (0, 38), (20, 3900), 1.0)
    done = step(5, StepState.PASSED, (2, 412), (31, 7930), 1.1)
    now = step(25, StepState.UNDER_WAY, (1, 150), (2, 470), 3.0)
    gone = step(25, StepState.AGAINST, (61, 812), (11, 2440), 310.0)
    rest = charts.Step(weight=50, state=StepState.TO_COME)
    return charts.Canary(steps=[few, done, gone if bad else now, rest], least_requests=200)


def gallery(words: charts.Words = _WORDS) -> dict[str, Chart]:
    shown: dict[str, Chart] = {}
    for name, data in {
        "runs": metrics(50),
        "runs-few": metrics(6),
        "runs-one": metrics(1, floor=None),
        "runs-far": metrics(12, floor=0.1),
        "runs-none": metrics(0),
    }.items():
        shown[name] = charts.run_metrics(data, words, name)
    for name, days in {
        "days": calendar(53, 10_000),
        "days-few": calendar(9, 4),
        "days-one": calendar(27, 1),
        "days-none": charts.ArrivalsCalendar(),
    }.items():
        shown[name] = charts.arrivals_calendar(days, words, name)
    shown["line"] = charts.time_line(line(ended=False), words, "line")
    shown["line-failed"] = charts.time_line(line(ended=True), words, "line-failed")
    shown["canary"] = charts.canary(canary(bad=False), words, "canary")
    shown["canary-bad"] = charts.canary(canary(bad=True), words, "canary-bad")
    return shown


def page(*, dark: bool) -> str:
    """The page; ``dark`` by the rules of the style sheet that a reader with a dark screen gets."""
    css = CSS.read_text()
    if dark:
        css = css.replace("@media (prefers-color-scheme: dark)", "@media all")
    ground, ink = ("#18211f", "#e8eeec") if dark else ("#ffffff", "#17211f")
    figures = "".join(f"<figure>{chart.svg}{_details(chart)}</figure>" for chart in gallery().values())
    own = (
        f"body{{margin:16px;background:{ground};color:{ink};font:16px system-ui,sans-serif}}"
        "main{display:grid;gap:28px;grid-template-columns:repeat(auto-fill,minmax(min(100%,21rem),1fr))}figure{margin:0}"
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Charts</title><style>{own}{css}</style><main>{figures}</main></html>"
    )


def _details(chart: Chart) -> str:
    table = chart.table
    head = "".join(f"<th>{escape(each)}</th>" for each in table.columns)
    rows = "".join("<tr>" + "".join(f"<td>{escape(each)}</td>" for each in row.cells) + "</tr>" for row in table.rows)
    return f"<details><summary>As a table</summary><table><tr>{head}</tr>{rows}</table></details>"


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, chart in gallery().items():
        print(f"{name}: {len(chart.svg.encode())} bytes")  # noqa: T201 - a tool to look with
    for mood in ("light", "dark"):
        written = folder / f"gallery-{mood}.html"
        written.write_text(page(dark=mood == "dark"))
        for size, (width, height) in SIZES.items():
            _picture(written, folder / f"{mood}-{size}.png", width, height)


def _picture(written: Path, to: Path, width: int, height: int) -> None:
    """A frame of that width, since a window of Chromium has at least 500 pixels."""
    frame = written.with_suffix(f".{width}.html")
    inside = f'<iframe src="{written.name}" width="{width}" height="{height}" frameborder="0" scrolling="no"></iframe>'
    frame.write_text(f'<!doctype html><body style="margin:0">{inside}')
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    sized = [f"--window-size={max(500, width)},{height}", f"--screenshot={to}", frame.as_uri()]
    subprocess.run([*command, "--allow-file-access-from-files", *sized], check=True, capture_output=True, timeout=120)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
