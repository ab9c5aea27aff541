"""Rows of measurements, their goals, and the table that shows them."""

import os
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One comparison: ours against a baseline measured in the same run. ``goal``: the most the ratio may be."""

    what: str
    ours: str
    baseline: str
    ratio: float
    goal: float | None = None
    remark: str = ""

    @property
    def verdict(self) -> str:
        """Whether the goal was met."""
        if self.goal is None:
            return ""
        return "met" if self.ratio <= self.goal else "missed"


def table(rows: list[Row]) -> str:
    """A Markdown table."""
    lines = ["| what | ours | baseline | ratio | goal | | |", "| --- | --- | --- | --- | --- | --- | --- |"]
    for row in rows:
        goal = "" if row.goal is None else f"≤ {row.goal:g}"
        lines.append(
            f"| {row.what} | {row.ours} | {row.baseline} | {row.ratio:.2f} | {goal} | {row.verdict} | {row.remark} |"
        )
    return "\n".join(lines)


def machine() -> str:
    """The facts a reader needs to judge the numbers."""
    memory = next(
        (line.split()[1] for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal")), "0"
    )
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        "unknown",
    )
    return (
        f"Measured {datetime.now(UTC):%Y-%m-%d %H:%M} UTC on {os.cpu_count()} cores ({model}), "
        f"{int(memory) / 2**20:.0f} GiB, {platform.system()} {platform.release().split('-')[0]}, "
        f"Python {platform.python_version()}, load {os.getloadavg()[0]:.1f} at the end."
    )
