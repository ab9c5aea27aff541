"""The commands of a pipeline: split into arguments first, filled in afterwards, and never shown to a shell.

The placeholders are those of Azure ML's command jobs. Because a value is put into an argument that is split already, it
never becomes two arguments, whatever it holds. Pure.
"""

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Final

from site_agent.job.failures import TrainingError
from site_agent.job.fields import Scalar

TRAIN_PLACES: Final = frozenset({"inputs.data", "outputs.model"})
EVALUATE_PLACES: Final = frozenset({"inputs.model", "inputs.holdout", "outputs.evaluation"})
"""What may stand in a command besides ``parameters.NAME``."""

_PLACEHOLDER: Final = re.compile(r"\$\{\{\s*([A-Za-z0-9_.-]+)\s*\}\}")
_MOST_ARGUMENTS: Final = 1_000


class CommandError(TrainingError):
    """A command of the pipeline cannot be run as it is written."""


def split_command(command: str, *, name: str, places: frozenset[str], parameters: Mapping[str, Scalar]) -> list[str]:
    """The arguments of a command, placeholders still in them; raises :class:`CommandError` naming what is wrong.

    ``name``: how the command is called in messages, such as ``train.command``.
    """
    # Blanks inside the braces would be taken for those between arguments.
    tidy = _PLACEHOLDER.sub(lambda found: f"${{{{{found[1]}}}}}", command)
    try:
        arguments = shlex.split(tidy)
    except ValueError:
        raise CommandError(f"{name} has a quotation mark or a backslash without its other half") from None
    if not arguments:
        raise CommandError(f"{name} is empty")
    if len(arguments) > _MOST_ARGUMENTS:
        raise CommandError(f"{name} has more than {_MOST_ARGUMENTS} arguments")
    for argument in arguments:
        _check(argument, name, places, parameters)
    return arguments


def fill(arguments: Sequence[str], places: Mapping[str, str], parameters: Mapping[str, Scalar]) -> list[str]:
    """The arguments with values in place of placeholders; as many as before. ``places``: paths in the container."""
    values = {**places, **{f"parameters.{key}": shown(value) for key, value in parameters.items()}}
    return [_PLACEHOLDER.sub(lambda found: values[found[1]], argument) for argument in arguments]


def shown(value: Scalar) -> str:
    """A parameter as a command's argument: texts as they are, numbers and true and false as in JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def _check(argument: str, name: str, places: frozenset[str], parameters: Mapping[str, Scalar]) -> None:
    for found in _PLACEHOLDER.finditer(argument):
        what = found[1]
        group, _, rest = what.partition(".")
        if group == "parameters":
            if rest not in parameters:
                raise CommandError(f"{name} names ${{{{{what}}}}}, and train.parameters has no {rest}")
        elif what not in places:
            known = ", ".join(f"${{{{{place}}}}}" for place in sorted(places))
            raise CommandError(f"{name} names ${{{{{what}}}}}; it may name {known} and ${{{{parameters.NAME}}}}")
    if "${{" in _PLACEHOLDER.sub("", argument):
        raise CommandError(f"{name} has a placeholder that is not closed, or not a name")
