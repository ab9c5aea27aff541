"""What every ``score.py`` shares: requests are checked the same way, and a bad one is answered 400 with the reason.

A ``score.py`` is a module with two functions, called by azureml-inference-server-http::

    def init() -> None:
        global _model
        _model = load(Path(os.environ["AZUREML_MODEL_DIR"]))

    def run(raw_body: str) -> Any:
        return scoring.respond(raw_body, partial(answer, _model))

Its ``answer(model, request)`` takes the request's JSON and gives the answer's; what it raises as
:class:`BadRequestError` is the client's fault. The helpers below raise it for whatever is not as they say. They name
the row and the field of a fault and do not repeat its value.
"""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_ENTRIES = 10_000  # in one request
LARGEST = sys.float_info.max


class BadRequestError(Exception):
    """The client's fault; the text is the answer."""


@dataclass(frozen=True)
class Number:
    """A finite number within limits, both included."""

    least: float = -LARGEST
    most: float = LARGEST
    nullable: bool = False

    def trouble(self, value: Any) -> str:
        """What is wrong with a value; empty when nothing is."""
        # bool is an int in Python; json.loads lets NaN, Infinity and integers beyond any float pass.
        if isinstance(value, int | float) and not isinstance(value, bool) and self.least <= value <= self.most:
            return ""
        if (self.least, self.most) == (-LARGEST, LARGEST):
            return "must be a finite number"
        return f"must be a number from {self.least:g} to {self.most:g}"


@dataclass(frozen=True)
class Choice:
    """One of a few texts."""

    values: tuple[str, ...]
    nullable: bool = False

    def trouble(self, value: Any) -> str:
        """What is wrong with a value; empty when nothing is."""
        return "" if value in self.values else f"must be one of {', '.join(self.values)}"


Field = Number | Choice
FINITE = Number()


def respond(raw_body: str, answer: Callable[[Any], Mapping[str, Any]]) -> Any:
    """Answer one request; ``raw_body`` is the body's text as the server hands it over."""
    if not raw_body:  # also what the server makes of a body that is announced as a form
        return _refused("the body is empty; send JSON with Content-Type: application/json")
    try:
        return answer(_parsed(raw_body))
    except (BadRequestError, RecursionError) as error:
        return _refused(str(error))


def entries(request: Any, name: str, *, shape: str = "...") -> list[Any]:
    """The list that a request has under ``name``; ``shape`` shows one entry where the message says what is asked."""
    found = request.get(name) if isinstance(request, dict) else None
    if not isinstance(found, list) or not found:
        one = name.removesuffix("s")
        raise BadRequestError(f'the body must be {{"{name}": [{shape}]}} with at least one {one}')
    if len(found) > MOST_ENTRIES:
        raise BadRequestError(f"at most {MOST_ENTRIES} {name} in one request")
    return found


def matrix(rows: Sequence[Any], *, width: int, one: str = "row", cell: Number = FINITE) -> NDArray[np.float64]:
    """The rows as numbers, ``width`` in each; ``one`` is what a row is called in a message."""
    for number, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != width:
            raise BadRequestError(f"{one} {number} must be a list of {width} numbers")
        for column, value in enumerate(row):
            trouble = cell.trouble(value)
            if trouble:
                raise BadRequestError(f"{one} {number}, column {column} {trouble}")
    return np.asarray(rows, dtype=np.float64)


def records(rows: Sequence[Any], fields: Mapping[str, Field], *, one: str = "row") -> dict[str, list[Any]]:
    """The columns of rows that are JSON objects. A nullable field may be null or left out, and is None then."""
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            raise BadRequestError(f"{one} {number} must be an object with {', '.join(fields)}")
        for name, field in fields.items():
            value = row.get(name)
            trouble = "" if value is None and field.nullable else field.trouble(value)
            if trouble:
                raise BadRequestError(f"{one} {number}, {name} {trouble}")
        unknown = len(row.keys() - fields.keys())
        if unknown:
            raise BadRequestError(f"{one} {number} has {unknown} unknown fields; known are {', '.join(fields)}")
    return {name: [row.get(name) for row in rows] for name in fields}


def _parsed(raw_body: str) -> Any:
    try:
        return json.loads(raw_body)
    except json.JSONDecodeError as error:
        raise BadRequestError(f"the body is not JSON: {error.msg} at character {error.pos}") from None
    except ValueError:  # Python reads no whole number of more than 4,300 digits
        raise BadRequestError("the body has a number with too many digits") from None


def _refused(reason: str) -> Any:
    # The server exists only in the image.
    from azureml_inference_server_http.api.aml_response import AMLResponse  # type: ignore[import-not-found]

    return AMLResponse({"error": reason}, 400, json_str=True)
