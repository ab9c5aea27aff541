"""Dagster, Prefect and edgetrain do the same small job on the same data and machine: ``make bench-peers``.

With all 10,000 files, ``benchmarks/peers/report.md`` is written, and the figures of each side are kept beside it. One
side can be measured again by itself, with the options that the others were measured with: else, as with fewer files,
the report is only printed.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.peers.figures import Kept, together
from benchmarks.peers.measuring import SIDES, measure
from benchmarks.peers.report import report
from benchmarks.peers.sides import Job, Settings
from benchmarks.report import machine
from cli.terminal import heed_interrupts, progress
from tests.support import own_run

REPORT: Final = Path(__file__).parent / "report.md"
FIGURES: Final = Path(__file__).parent / "figures"
FILES: Final = 10_000
FILES_PER_SECOND: Final = 100


def main() -> None:
    """Measure, print, and write what is whole."""
    heed_interrupts()
    options = _options()
    job = Job(
        files=options.files,
        landing_seconds=options.files / FILES_PER_SECOND,
        idle_seconds=options.idle_seconds,
        kill_wait=options.kill_wait,
        settings=Settings(quiet=options.quiet, window=options.window, longest_run=options.longest_run),
    )
    say, found = progress(), []
    with own_run.held():
        for side in options.only or SIDES:
            began = time.monotonic()
            found.append(Kept(job=_words(job), figures=measure(side, job, partial(_say, say, side)), machine=machine()))
            say(f"{side}: took {time.monotonic() - began:.0f} s: {found[-1].figures}")
    kept = [each for side in SIDES if (each := Kept.read(FIGURES / f"{side}.json"))]
    every = together(found, kept)
    text = report(every, job)
    if options.files == FILES and len(every) == len(SIDES):
        for each in found:
            each.write(FIGURES / f"{each.figures.side}.json")
        REPORT.write_text(text, encoding="utf-8")
    elif options.files == FILES:
        others = " and ".join(sorted({each.job for each in kept}))
        say(f"nothing is kept: the other sides were measured with other options, {others}")
    print(text)


def _words(job: Job) -> str:
    return json.dumps(asdict(job), sort_keys=True)


def _say(say: Callable[[str], None], side: str, line: str) -> None:
    say(f"{side}: {line}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--files", type=int, default=FILES, help="how many land (default: %(default)s)")
    parser.add_argument("--idle-seconds", type=float, default=300.0, help="how long nothing happens (%(default)s)")
    parser.add_argument("--kill-wait", type=float, default=600.0, help="for a model after the kill (%(default)s s)")
    parser.add_argument("--quiet", type=int, default=30, help="no file for so many seconds (%(default)s)")
    parser.add_argument("--window", type=int, default=120, help="Prefect's, from the first event (%(default)s s)")
    parser.add_argument("--longest-run", type=int, default=300, help="seconds, on all sides (%(default)s)")
    parser.add_argument("--only", action="append", choices=SIDES, help="may be given again (default: all)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
