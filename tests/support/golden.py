"""Golden files: every sentence of one surface, rendered by the code itself, for people who review the wording."""

import os
from collections.abc import Mapping
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "golden"
WRITE = "WRITE_GOLDEN"


def compare(surface: str, about: str, sentences: Mapping[str, str]) -> None:
    """Hold the sentences (case -> text) to ``tests/golden/<surface>.txt``; ``make golden`` writes the file instead."""
    path = FOLDER / f"{surface}.txt"
    lines = [f"# {about}", "# Written by `make golden`."]
    for case, text in sentences.items():
        lines += ["", f"{case}:", *(f"    {line}".rstrip() for line in text.splitlines() or ["(nothing)"])]
    rendered = "\n".join(lines) + "\n"
    if os.environ.get(WRITE):
        path.write_text(rendered, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == rendered, "wording changed: run `make golden`, and review the difference"
