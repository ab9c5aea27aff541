"""A run and an idle hour cost no more than their goals, and what the pages say that they cost."""

import re

import pytest

from benchmarks.report import Row
from benchmarks.run_bill import run
from tests.support.documents import ROOT

RESULTS, LIMITS = ROOT / "benchmarks" / "results.md", ROOT / "docs" / "plans-and-limits.md"
ABOUT = 2
"""By how much turns and history rows differ: steps that run side by side end in one turn, or in two."""


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return run()


def counts(row: Row) -> dict[str, int]:
    """What is counted, by its name."""
    found = {what: int(number) for number, what in re.findall(r"(\d+) ([\w ]+?)(?:,|$)", row.remark)}
    return found | {"executions": int(row.ours)}


def test_a_run_and_an_idle_hour_cost_no_more_than_their_goals(rows: list[Row]) -> None:
    over = [f"{row.what}: {row.ours}, {row.baseline}" for row in rows if row.ratio is None or row.ratio > 1]

    assert not over


def test_the_results_say_what_is_counted(rows: list[Row]) -> None:
    lines = RESULTS.read_text(encoding="utf-8").splitlines()
    for row in rows:
        [written] = [line for line in lines if line.startswith(f"| {row.what} |")]
        ours, *_, remark = [cell.strip() for cell in written.split("|")[2:-1]]
        told = counts(Row(what=row.what, ours=ours, baseline="", ratio=0, remark=remark))
        assert told == pytest.approx(counts(row), abs=ABOUT), row.what
        assert _exact(told) == _exact(counts(row)), f"{row.what}: python -m benchmarks --only run_bill"


def test_the_page_of_costs_says_what_is_counted(rows: list[Row]) -> None:
    page = " ".join(LIMITS.read_text(encoding="utf-8").split())
    by_a_file, by_a_message, canary, idle = map(counts, rows)
    a_run = r"(\d+) executions, \d+ turns of orchestrations, \d+ history rows, (\d+) table requests, (\d+) requests to"
    for found, told in (
        (r"table requests of the app, (\d+) an hour", [idle["table requests"]]),
        (r"requests to the hub, (\d+) an hour", [idle["blob requests"]]),
        (
            rf"{a_run} the hub, (\d+) events",
            [by_a_file[what] for what in ("executions", "table requests", "blob requests", "events published")],
        ),
        (r"by a message (\d+) executions", [by_a_message["executions"]]),
        (r"canary of three steps (\d+) executions", [canary["executions"]]),
    ):
        [said] = re.findall(f"({found})", page)
        assert [int(number) for number in said[1:]] == told, said[0]


def _exact(found: dict[str, int]) -> dict[str, int]:
    return {what: number for what, number in found.items() if what not in {"orchestrator turns", "history rows"}}
