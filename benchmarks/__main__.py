"""Measure everything, print the table, and write it to ``benchmarks/results.md``: ``make bench``."""

import argparse
from pathlib import Path

from benchmarks import containerize, imports, polling, run_time
from benchmarks.report import Row, machine, table

RESULTS = Path(__file__).parent / "results.md"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--only", choices=["run_time", "polling", "imports", "containerize"], help="print one, write nothing"
    )
    only = parser.parse_args().only
    rows: list[Row] = []
    for name, measure in (("imports", imports.run), ("polling", polling.run), ("run_time", run_time.run)):
        if only in (None, name):
            print(f"measuring {name} ...", flush=True)
            rows += measure()
    parts = [table(rows)] if rows else []
    if only in (None, "containerize"):
        print("measuring containerize ...", flush=True)
        parts.append("Containerizing: one layer appended over HTTP, against a warm `buildah` build and push.\n")
        parts.append(containerize.table(containerize.run()))
    text = "\n\n".join([*parts, machine()])
    print(text)
    if only is None:
        RESULTS.write_text(f"# Benchmarks\n\n`make bench` wrote this.\n\n{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
