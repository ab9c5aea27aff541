"""The shell blocks of our documents: what a reader copies, and what a test runs.

A block that no test can run has a comment right above it, ``<!-- not run in tests: reason -->``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>[\w-]*)[^\n]*\n(?P<body>.*?)^(?P=indent)```$", re.DOTALL | re.MULTILINE
)
_NOT_RUN = re.compile(r"<!-- not run in tests: (?P<reason>[^>]+) -->\n\s*\Z")
SHELL = {"sh", "bash", "shell", "console"}


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block. ``line``: its first, from 1. ``not_run``: why no test runs it; empty when one does."""

    document: str
    line: int
    language: str
    body: str
    not_run: str


def documents() -> list[Path]:
    """Every document of the project, README first."""
    found = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/README.md"), *ROOT.glob("*/*/README.md")]
    outside = {".venv", ".local", "node_modules"}
    kept = {path for path in found if not outside.intersection(path.relative_to(ROOT).parts)}
    return sorted(kept, key=lambda path: (path != ROOT / "README.md", path))


def code_in(document: str, language: str) -> str:
    """The one block of a language in a document, by its path below the root."""
    (found,) = [
        each["body"]
        for each in _FENCE.finditer((ROOT / document).read_text(encoding="utf-8"))
        if each["language"] == language
    ]
    return found


def blocks(document: Path) -> Iterator[Block]:
    """Its shell blocks, from top to bottom."""
    text = document.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        if found["language"] not in SHELL:
            continue
        reason = _NOT_RUN.search(text[: found.start()])
        indent = found["indent"]
        yield Block(
            document=document.relative_to(ROOT).as_posix(),
            line=text.count("\n", 0, found.start()) + 1,
            language=found["language"],
            body="".join(line.removeprefix(indent) for line in found["body"].splitlines(keepends=True)),
            not_run=reason["reason"] if reason else "",
        )
