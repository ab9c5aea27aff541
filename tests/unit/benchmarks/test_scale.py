"""The measurement of many pipelines, with few: nothing costs more than its share."""

import re

from benchmarks.scale import FEW, MANY, pipelines, work
from tests.support.documents import ROOT

RESULTS = (ROOT / "benchmarks" / "results.md").read_text(encoding="utf-8")
LIMITS = (ROOT / "docs" / "plans-and-limits.md").read_text(encoding="utf-8")


def written(what: str) -> list[str]:
    """The cells of a row of the results."""
    [line] = [each for each in RESULTS.splitlines() if each.startswith(f"| {what}: {MANY} pipelines on ")]
    return [cell.strip() for cell in line.split("|")[2:-1]]


def test_four_times_the_pipelines_cost_at_most_four_times_as_much() -> None:
    few, many = pipelines(2, sites=1), pipelines(8, sites=4)

    assert 0 < work(many.hour) <= 4 * work(few.hour)
    assert 0 < work(many.longest_pass) <= 4 * work(few.longest_pass)
    assert work(many.run) == work(few.run) > 0, "a run costs the same, however many others there are"
    times = MANY // FEW
    for what, bill in (
        ("requests and executions of an idle hour", few.hour),
        ("requests and executions of the longest pass of the reconciler in that hour", few.longest_pass),
    ):
        assert written(what)[1] == f"{work(bill):,} x {times}", "python -m benchmarks --only scale"
    assert written("requests and executions of one run")[1] == f"{work(few.run):,}"


def test_the_page_of_limits_says_what_the_results_say() -> None:
    hour, longest = (
        written(f"requests and executions of {what}")
        for what in ("an idle hour", "the longest pass of the reconciler in that hour")
    )
    seconds = re.search(r"seconds of that pass for \d+ pipelines[^|]*\| (\d+ s) \|", RESULTS)
    assert seconds is not None

    assert f"an idle hour costs {hour[2]} and the longest pass {longest[2]} of" in LIMITS
    assert f"The longest pass is {longest[0]} requests: {seconds[1]} if" in LIMITS
