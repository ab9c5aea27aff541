"""The columns of a pipeline's CSV files, as its file declares them."""

from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StrictFloat, StrictInt, StrictStr, field_validator, model_validator

from shared.formats.size_limits import length
from shared.messages import ColumnKind
from shared.pipelines.parts import Part
from shared.values.fields import LARGEST_INTEGER

LONGEST = 12_000
"""Characters of all columns as JSON: they are kept in a row of a table with the rest of a run's plan."""

_Bound = StrictInt | StrictFloat | StrictStr


class Column(Part):
    """What the cells of one column hold."""

    kind: ColumnKind = Field(description="number, integer, text, or date such as 2026-11-28")
    nullable: bool = Field(default=False, description="whether a cell may be empty")
    values: Annotated[tuple[_Bound, ...], Field(min_length=1)] | None = Field(
        None, description="every value that there may be"
    )
    least: _Bound | None = Field(None, description="the smallest value that there may be")
    most: _Bound | None = Field(None, description="the largest value that there may be")

    @field_validator("values", "least", "most", mode="before")
    @classmethod
    def _dates_are_texts(cls, value: Any) -> Any:
        # YAML reads 2026-11-28 as a date.
        if isinstance(value, list | tuple):
            return tuple(map(_as_text_if_date, value))
        return _as_text_if_date(value)

    @model_validator(mode="after")
    def _bounds_fit(self) -> "Column":
        if self.values is not None and (self.least is not None or self.most is not None):
            raise ValueError("values: cannot go with least and most; give either")
        if self.kind is ColumnKind.TEXT and (self.least is not None or self.most is not None):
            raise ValueError("least: texts have no order here; list the values instead")
        for name in ("least", "most"):
            self._require_kind(name, getattr(self, name))
        for value in self.values or ():
            self._require_kind("values", value)
        if self.least is not None and self.most is not None and self.least > self.most:  # type: ignore[operator]
            raise ValueError(f"least: {self.least} is above most, {self.most}; exchange them")
        return self

    def _require_kind(self, field: str, value: _Bound | None) -> None:
        if value is not None and not _is_of(self.kind, value):
            raise ValueError(f"{field}: {value!r} is no {self.kind.value}; write one, or correct kind")


def _as_text_if_date(value: Any) -> Any:
    return value.isoformat() if type(value) is date else value


def _is_of(kind: ColumnKind, value: _Bound) -> bool:
    match kind:
        case ColumnKind.TEXT:
            return isinstance(value, str)
        case ColumnKind.DATE:
            return isinstance(value, str) and _is_date(value)
        case ColumnKind.INTEGER:
            return type(value) is int and abs(value) <= LARGEST_INTEGER
        case ColumnKind.NUMBER:
            return type(value) is float or (type(value) is int and abs(value) <= LARGEST_INTEGER)


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _fit_a_row(columns: dict[str, Column]) -> dict[str, Column]:
    found = length({name: column.model_dump(mode="json") for name, column in columns.items()})
    if found > LONGEST:
        raise ValueError(
            f"have {found} characters in all as JSON, and at most {LONGEST} are taken;"
            " declare those that matter, or use format: files and check in train.py"
        )
    return columns


Columns = Annotated[dict[Annotated[str, Field(min_length=1, max_length=200)], Column], AfterValidator(_fit_a_row)]
"""Column by name, in any order."""
