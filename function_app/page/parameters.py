"""Parameters of a training, as people type and read them. Pure."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from function_app.page.actions import PARAMETER
from function_app.page.later import _
from function_app.problems import BadFieldError
from shared.messages import Scalar

_YES_AND_NO = {"true": True, "false": False}
_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,30}")
_MARKS: Final[Mapping[str, str]] = {"en": ".", "nl": ","}
"""What parts the whole from the rest of a number, by language; the other of the two groups thousands."""
_PARTED: Final = {
    mark: re.compile(rf"[+-]?(?P<whole>[0-9]+)?(?:[{mark}](?P<rest>[0-9]*))?(?:[eE][+-]?[0-9]+)?") for mark in ".,"
}
_GROUPED: Final = {
    mark: re.compile(rf"[+-]?[1-9][0-9]{{0,2}}(?:[{group}][0-9]{{3}})+(?:[{mark}][0-9]+)?")
    for mark, group in ((".", ","), (",", "."))
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Effective:
    """A parameter as a training would have it; ``own``: not as the pipeline's file says."""

    name: str
    value: Scalar
    own: bool


def given_parameters(declared: Mapping[str, Scalar], values: Mapping[str, str], language: str) -> dict[str, Scalar]:
    """What was typed, each of the kind that the pipeline's file has; what was left empty stays as it is there.

    Raises :class:`BadFieldError` with the field.
    """
    typed = {name: values[PARAMETER + name].strip() for name in declared if values.get(PARAMETER + name, "").strip()}
    return {name: _value(name, declared[name], text, language) for name, text in typed.items()}


def effective(declared: Mapping[str, Scalar], given: Mapping[str, Scalar]) -> tuple[Effective, ...]:
    """All parameters, in the order of the file."""
    return tuple(
        Effective(name=name, value=given.get(name, value), own=name in given and given[name] != value)
        for name, value in declared.items()
    )


def number_text(value: float, language: str) -> str:
    """A number with all its digits and without groups, so that it may be typed again as it is shown."""
    return repr(value).replace(".", _MARKS.get(language, "."))


def _value(name: str, declared: Scalar, text: str, language: str) -> Scalar:
    if isinstance(declared, bool):
        if text not in _YES_AND_NO:
            raise BadFieldError(_("Choose yes or no."), field=PARAMETER + name)
        return _YES_AND_NO[text]
    if isinstance(declared, int):
        if not _WHOLE.fullmatch(text):
            raise BadFieldError(_("Type a whole number, in digits alone, such as 2000."), field=PARAMETER + name)
        return int(text)
    return _number(name, text, language) if isinstance(declared, float) else text


def _number(name: str, text: str, language: str) -> float:
    """The number, by the reader's own mark; by the other one where it can mean nothing else."""
    ours = _MARKS.get(language, ".")
    other = "," if ours == "." else "."
    read = {_reading(text, mark) for mark in (ours, other)} - {None}
    clear = _PARTED[ours].fullmatch(text) is not None and _reading(text, ours) is not None
    if not clear and len(read) > 1:
        raise BadFieldError(
            _("This can be read in two ways. Type it without a mark between thousands."), field=PARAMETER + name
        )
    found = _reading(text, ours) if clear else next(iter(read), None)
    if found is None or not math.isfinite(found):
        raise BadFieldError(_("Type a number, such as 0.5."), field=PARAMETER + name)
    return found


def _reading(text: str, mark: str) -> float | None:
    """What it says where this mark parts the whole from the rest; None for nothing."""
    parted, grouped = _PARTED[mark].fullmatch(text), _GROUPED[mark].fullmatch(text)
    if not grouped and not (parted and (parted["whole"] or parted["rest"])):
        return None
    other = "," if mark == "." else "."
    return float(text.replace(other, "").replace(mark, "."))
