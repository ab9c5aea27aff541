"""The command in a sentence that says what to do, so that a page can offer it to be copied. Pure."""

import re
from dataclasses import dataclass
from typing import Final

_PROGRAMS: Final = "az|chmod|docker|edgetrain|loginctl|podman|systemctl|timedatectl|usermod"
_COMMAND: Final = re.compile(rf"(?:(?<=: )|^(?=az ))((?:{_PROGRAMS}) [^;,]+|~/\S+ [^;,]+)")


@dataclass(frozen=True, slots=True)
class Advice:
    """A sentence in three parts; ``command`` is empty when there is none in it, and ``after`` too."""

    before: str
    command: str = ""
    after: str = ""


def advice_in(sentence: str) -> Advice:
    """The sentence, parted at the first command that stands after a colon."""
    found = _COMMAND.search(sentence)
    if found is None or not found[1].isprintable():  # of several lines each would be done when it is pasted
        return Advice(sentence)
    command = found[1].rstrip()
    return Advice(sentence[: found.start()].strip(), command, sentence[found.start() + len(command) :].strip(" ;,"))
