"""Field types shared by HTTP requests and messages: how they are parsed, described and refused."""

import math
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, Field, PlainValidator, ValidationError, WithJsonSchema

OVERRIDES: Final = "overrides of the pipeline's parameters, each of its declared kind"
FORCE: Final = "train although exactly this was trained already"
REASON: Final = "for people; kept with the run"
"""What a request for a run may say, by HTTP and by message alike."""

LARGEST_INTEGER: Final = 2**53  # JSON in other languages holds no larger one exactly


def _scalar(value: Any) -> Any:
    if not isinstance(value, str | int | float):
        raise ValueError("must be a string, a number or a boolean")
    if isinstance(value, float) and not math.isfinite(value):  # the parser reads NaN and 1e999, JSON has neither
        raise ValueError("must be a finite number")
    if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
        raise ValueError(f"must be a whole number between -{LARGEST_INTEGER} and {LARGEST_INTEGER}")
    return value


def _one_line(value: str) -> str:
    return " ".join(value.split())


ParameterValue = Annotated[
    Any,
    PlainValidator(_scalar),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {"type": "boolean"},
                {"type": "integer", "minimum": -LARGEST_INTEGER, "maximum": LARGEST_INTEGER},
                {"type": "number"},
            ]
        }
    ),
]
Note = Annotated[str, Field(max_length=500), AfterValidator(_one_line)]
GivenReason = Annotated[str, Field(max_length=500, pattern=r"\S"), AfterValidator(_one_line)]
"""A :data:`Note` that must say something."""


_PLAINER = {
    "be a valid boolean": "be true or false",
    "be a valid string": "be a text",
    "be a valid number": "be a number",
    "be a valid integer": "be a whole number",
}

_WHOLE = {
    "Field required": "is missing; add it",
    "Extra inputs are not permitted": "is not a field that is known; correct its name, or remove it",
}


def in_our_words(text: str) -> str:
    """Pydantic's error about a field, as the end of a sentence that begins with the field's name."""
    rule = text.partition(" should ")[2].partition(", unable to ")[0].partition(" after validation")[0]
    if text in _WHOLE:
        return _WHOLE[text]
    return f"must {_PLAINER.get(rule, rule)}" if rule else text.removeprefix("Value error, ")


def trouble_in(error: ValidationError, model: type[BaseModel]) -> tuple[str, str, str]:
    """The first error: its kind, the field ("" for the whole text) and a sentence with the remedy.

    Kinds are pydantic's; the sentence starts with the field. What ``model_type`` means to the caller depends on what
    the text is, so the sentence only gives the reason.
    """
    first = error.errors(include_url=False, include_input=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    return first["type"], field, _sentence(first["type"], first["msg"], field, model)


def _sentence(kind: str, text: str, field: str, model: type[BaseModel]) -> str:
    match kind:
        case "extra_forbidden":
            return f"{_shown(field)} is unknown; known: {known_fields(model)}"
        case "missing":
            return f"{field} is missing; add it"
        case _:
            return f"{_shown(field)} {in_our_words(text)}"


def known_fields(model: type[BaseModel]) -> str:
    """The names that a sender may use."""
    return ", ".join(part.alias or name for name, part in model.model_fields.items()) or "none"


def _shown(field: str) -> str:
    """A name from outside, made safe for a sentence."""
    return field if field.isascii() and field.isprintable() and len(field) <= 100 else repr(field[:100])
