"""Parameters of a training, as people type them. Pure."""

import math
from collections.abc import Mapping

from function_app.page.actions import PARAMETER
from function_app.page.later import _
from function_app.problems import BadFieldError
from shared.messages import Scalar

_YES_AND_NO = {"true": True, "false": False}


def given_parameters(declared: Mapping[str, Scalar], values: Mapping[str, str]) -> dict[str, Scalar]:
    """What was typed, each of the kind that the pipeline's file has; what was left empty stays as it is there.

    Raises :class:`BadFieldError` with the field.
    """
    typed = {name: values[PARAMETER + name].strip() for name in declared if values.get(PARAMETER + name, "").strip()}
    return {name: _value(name, declared[name], text) for name, text in typed.items()}


def _value(name: str, declared: Scalar, text: str) -> Scalar:
    if isinstance(declared, bool):
        if text not in _YES_AND_NO:
            raise BadFieldError(_("Choose yes or no."), field=PARAMETER + name)
        return _YES_AND_NO[text]
    if isinstance(declared, int):
        return _number(name, text, int, _("Type a whole number, such as 20."))
    if isinstance(declared, float):
        return _number(name, text.replace(",", "."), float, _("Type a number, such as 0.5."))
    return text


def _number(name: str, text: str, kind: type[int] | type[float], wanted: str) -> int | float:
    try:
        value = kind(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BadFieldError(wanted, field=PARAMETER + name)
    return value
