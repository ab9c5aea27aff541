"""What a training's commands may look like, checked when a pipeline's file is read. Pure.

A command is split into words first, as a shell would by its quotes, and filled afterwards; no shell runs it. The
placeholders are those of Azure ML's command jobs, and ``${{parameters.NAME}}`` besides.
"""

import re
import shlex
from collections.abc import Collection, Mapping
from typing import Final

from shared.values.texts import shortened

TRAIN: Final = "train.command"
EVALUATE: Final = "evaluate.command"

PLACEHOLDERS: Final[Mapping[str, tuple[str, ...]]] = {
    TRAIN: ("inputs.data", "outputs.model"),
    EVALUATE: ("inputs.model", "inputs.holdout", "outputs.evaluation"),
}
"""Which placeholders a command may have besides parameters; it must have all of them."""

_PARAMETERS = "parameters."
_PLACEHOLDER = re.compile(r"\$\{\{\s*([A-Za-z0-9_.-]+)\s*\}\}")
_SHELL_WORDS = frozenset({"&&", "||", "|", ";", "&", ">", ">>", "<", "<<", "2>", "2>&1", "&>"})


def command_trouble(field: str, command: str, parameters: Collection[str]) -> str:
    """What is wrong with a command, with what to do about it; empty when nothing is.

    ``field``: :data:`TRAIN` or :data:`EVALUATE`. ``parameters``: the names that the pipeline declares.
    """
    # Blanks inside the braces would be taken for those between words.
    tidy = _PLACEHOLDER.sub(lambda found: _shown(found[1]), command)
    try:
        words = shlex.split(tidy)
    except ValueError:
        return "has a quote or a backslash that is not closed; close it, or remove it"
    if not command.isprintable():
        return "has characters that cannot be printed; type it again, on one line"
    if not words:
        return "is empty; write the command, such as python train.py --data ${{inputs.data}}"
    return _trouble_in_words(words) or _trouble_in_names(field, used_names(command), parameters)


def used_names(command: str) -> tuple[str, ...]:
    """The names in a command's placeholders, in order, each once."""
    return tuple(dict.fromkeys(_PLACEHOLDER.findall(command)))


def used_parameters(command: str) -> frozenset[str]:
    """The parameters that a command is filled with."""
    return frozenset(name.removeprefix(_PARAMETERS) for name in used_names(command) if name.startswith(_PARAMETERS))


def _trouble_in_words(words: list[str]) -> str:
    for word in words:
        if word in _SHELL_WORDS:
            return f"has {word}, but no shell runs it; put several steps into a script and run that"
        if "${{" in _PLACEHOLDER.sub("", word):
            return (
                f"has {shortened(word, 60)}, which is no placeholder; write one such as ${{{{inputs.data}}}}, no spaces"
            )
    if _PLACEHOLDER.search(words[0]):
        return f"begins with {shortened(words[0], 60)}; begin with a program, such as python"
    return ""


def _trouble_in_names(field: str, names: Collection[str], parameters: Collection[str]) -> str:
    allowed = PLACEHOLDERS[field]
    for name in names:
        if name.startswith(_PARAMETERS):
            trouble = _trouble_with_parameter(name.removeprefix(_PARAMETERS), parameters)
        else:
            trouble = "" if name in allowed else _trouble_with_name(field, name)
        if trouble:
            return trouble
    missing = [name for name in allowed if name not in names]
    if missing:
        return f"lacks {_shown(missing[0])}; add it where the script takes that path, such as {_example(missing[0])}"
    return ""


def _trouble_with_parameter(name: str, parameters: Collection[str]) -> str:
    if name in parameters:
        return ""
    known = ", ".join(sorted(parameters)) or "none"
    shown = shortened(name, 60)
    return f"uses parameters.{shown}, which train.parameters does not declare (declared: {known}); add it there"


def _trouble_with_name(field: str, name: str) -> str:
    for other, names in PLACEHOLDERS.items():
        if name in names:
            return f"has {_shown(name)}, which only {other} may have; remove it"
    usable = ", ".join(map(_shown, PLACEHOLDERS[field]))
    return f"has {_shown(shortened(name, 60))}, which is unknown; usable are {usable} and {_shown('parameters.NAME')}"


def _shown(name: str) -> str:
    return f"${{{{{name}}}}}"


def _example(name: str) -> str:
    option = name.rpartition(".")[2]
    return f"--{option} {_shown(name)}"
