"""A file the sample's activities and events leave traces in, so that tests can see what ran, and how often."""

import json
import os
from pathlib import Path


def note(kind: str, **details: object) -> None:
    """Append one line; a single write, so that lines of several threads do not mix."""
    line = json.dumps({"kind": kind, **details}) + "\n"
    with Path(os.environ["SAMPLE_JOURNAL"]).open("a", encoding="utf-8") as journal:
        journal.write(line)


def count(kind: str, **details: object) -> int:
    """How many lines of this kind with these details there are."""
    path = Path(os.environ["SAMPLE_JOURNAL"])
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    wanted = {"kind": kind, **details}
    return sum(json.loads(line).items() >= wanted.items() for line in lines)
