"""The report on the sides: figures, ratios, verdicts, and what must be known to judge them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.peers.figures import MEASURES, OURS, Figures, Kept, ratio, verdict
from benchmarks.peers.sides import PAUSE_SECONDS, Job

METHOD: Final = Path(__file__).parent / "method.md"


def report(kept: Sequence[Kept], job: Job) -> str:
    """A page of Markdown. Ratios and verdicts only where there is something to compare."""
    sides = [each.figures for each in kept]
    parts = [
        "# Side by side with Dagster and Prefect",
        "`make bench-peers` wrote this.",
        "\n".join(_table(sides)),
        "After SIGKILL in the middle of a training, and a start:",
        "\n".join(f"- {each.side}: {each.killed}." for each in sides),
        "What the figures consist of:",
        "\n".join(_parts(sides)),
        _method(job),
        "\n".join(f"- {each.figures.side}: {each.machine}" for each in kept),
    ]
    return "\n\n".join(parts) + "\n"


def _table(sides: Sequence[Figures]) -> list[str]:
    compared = len(sides) > 1 and any(each.side == OURS for each in sides)
    more = ["ratio to the better peer", "goal"] if compared else []
    names = [each.side for each in sides]
    rows = [["", *names, *more], ["---"] * (1 + len(names) + len(more))]
    for measure in MEASURES:
        row = [measure.what, *(measure.shown(each) for each in sides)]
        rows.append([*row, f"{ratio(measure, sides):.2f}", verdict(measure, sides)] if compared else row)
    return ["| " + " | ".join(row) + " |" for row in rows]


def _parts(sides: Sequence[Figures]) -> list[str]:
    lines = [
        f"- {each.side}: {each.deliveries:,} deliveries of events; overhead {each.before:.1f} s before and "
        f"{each.after:.1f} s after the {each.program:.1f} s of the training program; idle: {each.idle_parts} "
        f"(CPU an hour, memory)."
        for each in sides
    ]
    models = len({each.model for each in sides})
    if len(sides) > 1:
        lines.append(f"- The models: {'the same bytes on all sides' if models == 1 else f'{models} different files'}.")
    return lines


def _method(job: Job) -> str:
    return (
        METHOD.read_text(encoding="utf-8")
        .strip()
        .format(
            files=job.files,
            landing=job.landing_seconds,
            idle=job.idle_seconds,
            pause=PAUSE_SECONDS,
            quiet=job.settings.quiet,
            window=job.settings.window,
            longest=job.settings.longest_run,
        )
    )
