"""The files of a model: which may leave as far as their kind goes, opened once and read through what was opened."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from site_agent.job.guard.files import Entry, digest, plain, walk
from site_agent.job.guard.formats import FormatRules, recognise
from site_agent.job.guard.pieces import Recognised
from site_agent.job.guard.receipt import HeldBack
from site_agent.job.guard.spans import HeldBackError, NeededError, Span

SMOKE: Final = "smoke.json"
NEEDED: Final = "model"
"""Kind of what is held back though the model is not whole without it."""
MOST_FILES: Final = 64
_MOST_LISTED: Final = 10_000


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file of a known kind. ``sha256``: of its bytes before they were looked at."""

    name: str
    span: Span
    sha256: str
    recognised: Recognised


@dataclass(slots=True)
class Contents:
    """What lies in a model's folder."""

    files: list[ModelFile] = field(default_factory=list)
    held_back: list[HeldBack] = field(default_factory=list)


@contextmanager
def read_model(folder: Path, rules: FormatRules) -> Iterator[Contents]:
    """Open and recognise every file; they stay open in the block."""
    contents = Contents()
    descriptors: list[int] = []
    try:
        left = rules.most
        for entry in walk(folder, most=_MOST_LISTED):
            try:
                file = _taken(entry, contents, rules, left, descriptors)
            except HeldBackError as error:
                shown = entry.name if plain(entry.name) else ""
                kind = NEEDED if isinstance(error, NeededError) else "file"
                contents.held_back.append(HeldBack(name=shown, kind=kind, bytes=entry.size, reason=str(error)))
            else:
                left -= file.span.length
                contents.files.append(file)
        yield contents
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _taken(entry: Entry, contents: Contents, rules: FormatRules, left: int, descriptors: list[int]) -> ModelFile:
    if entry.trouble:
        raise HeldBackError(entry.trouble)
    if not plain(entry.name):
        raise HeldBackError("its name is not plain: letters, at most 6 digits, dots, hyphens and underscores")
    if entry.name == SMOKE:
        raise HeldBackError("the job writes a file of this name itself")
    if entry.size == 0:
        raise HeldBackError("it is empty")
    if entry.size > left:
        raise NeededError(f"the model would have more than {rules.most} bytes (limits.model of the site's policy)")
    if len(contents.files) >= MOST_FILES:
        raise NeededError(f"a model may have at most {MOST_FILES} files")
    try:
        descriptor = entry.open()
    except OSError:
        raise HeldBackError("it cannot be read") from None
    descriptors.append(descriptor)
    span = Span(descriptor, 0, os.fstat(descriptor).st_size)
    return ModelFile(entry.name, span, digest(span), recognise(span, rules))
