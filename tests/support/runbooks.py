"""The commands of the runbooks in ``docs/delivery.md``, which tests type as they are printed, with the ids filled in.

A run that waits and a target that serves are not there for the tests of the documents; tests that have them ask here
for the command by its name, and ``tests/unit/documents`` sees that every one is asked for.
"""

import re
import shlex

from tests.support.documents import ROOT, blocks

DOCUMENT = ROOT / "docs" / "delivery.md"
PLACES = {"RUN", "PIPELINE", "TARGET"}
"""What a reader fills in."""

_COMMAND = re.compile(r"edgetrain (?P<words>[a-z][^#`\n]*)")
_TEXT = re.compile(r"`edgetrain (?P<words>[a-z][^`\n]*)`")


def printed() -> dict[str, list[str]]:
    """By its name, every command of the runbooks, in shell blocks and in sentences: the words after it."""
    runbooks = DOCUMENT.read_text(encoding="utf-8").partition("\n## Runbooks\n")[2]
    assert runbooks, f"{DOCUMENT} has no runbooks"
    lines = [line for block in blocks(DOCUMENT) if block.body in runbooks for line in block.body.splitlines()]
    typed = [found["words"] for line in lines if (found := _COMMAND.match(line))]
    commands: dict[str, list[str]] = {}
    for words in [*typed, *(said["words"] for said in _TEXT.finditer(runbooks))]:
        name, *rest = shlex.split(words)
        if commands.setdefault(name, rest) != rest:
            raise AssertionError(f"two ways to call edgetrain {name}: {commands[name]} and {rest}")
    return commands


def as_printed(command: str, **filled: str) -> list[str]:
    """The command's words, ``edgetrain`` left out, with what a reader fills in."""
    words = [command, *printed()[command]]
    assert PLACES.intersection(words) == filled.keys(), f"to be filled in: {words}"
    return [filled.get(word, word) for word in words]
