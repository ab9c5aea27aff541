"""The part of a pipeline's file that says which data are expected, and by when."""

from __future__ import annotations

import re
from datetime import time, timedelta
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfoNotFoundError, available_timezones

from pydantic import BeforeValidator, Field, field_validator, model_validator

from shared.decisions.arrivals.local_days import zone_of
from shared.messages import Every, Expecting
from shared.pipelines.parts import Part

_BY: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_EXAMPLE: Final = '{every: day, by: "06:00"}'


class Expect(Part):
    """When data are expected; left out, the app forecasts it from what has arrived so far."""

    every: Every | None = Field(
        None, description="hour, day, weekday (Monday to Friday) or week; none: nothing is; left out: as forecast"
    )
    by: str | None = Field(
        None, description='local time of day in quotes, such as "06:00"; left out: by the end of the hour, day or week'
    )
    day: Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"] = Field(
        "sunday", description="for every: week, the day by which they are expected"
    )
    zone: str = Field("UTC", max_length=100, description="whose days and times these are, such as Europe/Amsterdam")
    files: int = Field(1, ge=1, le=1_000_000, description="how many files at least, in each hour, day or week")
    grace_minutes: int = Field(60, ge=0, le=7 * 24 * 60, description="how long after that nothing is overdue yet")

    @property
    def expecting(self) -> Expecting:
        """The same for the rules."""
        return Expecting(
            every=self.every,
            by=time.fromisoformat(self.by) if self.by is not None else None,
            on=_DAYS.index(self.day),
            zone=self.zone,
            files=self.files,
            grace=timedelta(minutes=self.grace_minutes),
        )

    @field_validator("by", mode="before")
    @classmethod
    def _is_a_time(cls, value: Any) -> Any:
        if type(value) is int and 60 <= value < 24 * 60:
            value = f"{value // 60:02d}:{value % 60:02d}"  # YAML reads 12:30 without quotes as a number of minutes
        if value is not None and not (isinstance(value, str) and _BY.fullmatch(value)):
            raise ValueError(f'must be a time of day in quotes, such as "06:00" or "18:30", not {value!r}')
        return value

    @field_validator("zone")
    @classmethod
    def _is_a_zone(cls, value: str) -> str:
        try:
            zone_of(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"there is no time zone {value!r}; write {_meant(value)}") from None
        return value

    @model_validator(mode="after")
    def _go_together(self) -> Expect:
        given = self.model_fields_set
        if self.every in {None, Every.NONE}:
            idle = sorted(given & {"by", "day", "files"})
            if idle:
                verb = "goes" if len(idle) == 1 else "go"
                raise ValueError(f"{', '.join(idle)}: {verb} with every; write every: day, or remove it")
        if self.every is Every.HOUR and self.by is not None:
            raise ValueError("by: is a time of day, and every: hour has none; remove it: the hour's end counts")
        if self.every is not Every.WEEK and "day" in given:
            raise ValueError("day: goes with every: week only; remove it, or write every: week")
        return self


def _meant(value: str) -> str:
    """The zone that may be meant, or how one is written."""
    wanted = value.replace(" ", "_").casefold()
    zones = {each: {each.casefold(), *each.casefold().split("/")[1:]} for each in available_timezones()}
    meant = sorted(each for each, names in zones.items() if wanted in names)
    return meant[0] if meant else "its name in the tz database, such as Europe/Amsterdam, or UTC"


def _from_a_word(value: Any) -> Any:
    if value == Every.NONE.value:
        return {"every": Every.NONE}
    if isinstance(value, dict | Expect) or value is None:
        return value
    raise ValueError(f"must be none, or a mapping such as {_EXAMPLE}, not {value!r}")


MaybeExpect = Annotated[
    Expect | None, BeforeValidator(_from_a_word, json_schema_input_type=Literal["none"] | Expect | None)
]
