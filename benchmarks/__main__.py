"""Measure everything, print the table, and write it to ``benchmarks/results.md``: ``make bench``."""

import argparse
import time
from pathlib import Path

from benchmarks import (
    arrivals,
    canaries,
    comparing,
    containerize,
    egress_guard,
    first_paint,
    imports,
    inputs,
    page,
    polling,
    run_bill,
    run_time,
    scale,
    sealing,
    snapshots,
    spans,
    switches,
    three_targets,
)
from benchmarks.report import Row, machine, table
from cli.terminal import heed_interrupts
from tests.support import own_run

RESULTS = Path(__file__).parent / "results.md"
MEASUREMENTS = {
    "imports": imports.run,
    "spans": spans.run,
    "polling": polling.run,
    "run_bill": run_bill.run,
    "run_time": run_time.run,
    "scale": scale.run,
    "page": page.run,
    "first_paint": first_paint.run,
    "arrivals": arrivals.run,
    "snapshots": snapshots.run,
    "inputs": inputs.run,
    "comparing": comparing.run,
    "canaries": canaries.run,
    "sealing": sealing.run,
    "switches": switches.run,
    "three_targets": three_targets.run,
    "egress_guard": egress_guard.run,
}


def main() -> None:
    heed_interrupts()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", choices=[*MEASUREMENTS, "containerize"], help="print one, write nothing")
    only = parser.parse_args().only
    with own_run.held():  # a benchmark that is ended by SIGTERM leaves nothing either
        text = measured(only)
    print(text)
    if only is None:
        RESULTS.write_text(f"# Benchmarks\n\n`make bench` wrote this.\n\n{text}\n", encoding="utf-8")


def measured(only: str | None) -> str:
    """The tables, of all measurements or of one."""
    rows: list[Row] = []
    for name, measure in MEASUREMENTS.items():
        if only in (None, name):
            began = time.monotonic()
            print(f"measuring {name} ...", flush=True)
            rows += measure()
            print(f"  {name} took {time.monotonic() - began:.0f} s", flush=True)
    parts = [table(rows)] if rows else []
    if only in (None, "containerize"):
        print("measuring containerize ...", flush=True)
        parts.append("Containerizing: one layer appended over HTTP, against a warm `buildah` build and push.\n")
        parts.append(containerize.table(containerize.run()))
    return "\n\n".join([*parts, machine()])


if __name__ == "__main__":
    main()
