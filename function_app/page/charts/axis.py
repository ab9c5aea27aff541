"""The scale of a chart: sensible ticks around any numbers. Pure."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final

from function_app.page.charts.words import Words

_FLAT: Final = Decimal("1e-4")
"""Of the largest number: what differs by less is drawn as equal, since no label could tell it apart."""
_ROOM: Final = Decimal("0.05")  # of the largest number, to either side of numbers that are equal
_LARGE, _SMALL = 6, -3  # powers of ten, from which and below which labels leave the power to the axis
_SUPERSCRIPTS: Final = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True, slots=True)
class Axis:
    """A scale that begins and ends with a tick. Labels are ticks divided by ten to the power ``exponent``."""

    ticks: tuple[Decimal, ...]
    exponent: int
    decimals: int

    def share(self, value: float) -> float:
        """Where a number lies between the first tick, 0, and the last one, 1; beyond them it is at the nearer one."""
        first, last = self.ticks[0], self.ticks[-1]
        return min(1.0, max(0.0, float((_decimal(value) - first) / (last - first))))

    def holds(self, value: float) -> bool:
        """Whether the number lies within the scale."""
        return self.ticks[0] <= _decimal(value) <= self.ticks[-1]

    def labels(self, words: Words) -> tuple[str, ...]:
        """A text for each tick."""
        return tuple(words.number(float(tick.scaleb(-self.exponent)), self.decimals) for tick in self.ticks)

    @property
    def power(self) -> str:
        """What the labels are to be multiplied by, a power of ten; empty when that is one."""
        return f"×10{str(self.exponent).translate(_SUPERSCRIPTS)}" if self.exponent else ""  # noqa: RUF001


def number_text(value: float, words: Words) -> str:
    """A finite number of any size, by three to seven digits."""
    magnitude = _decimal(value).adjusted() if value else 0
    if _SMALL <= magnitude < _LARGE:
        return words.number(value)
    power = f"×10{str(magnitude).translate(_SUPERSCRIPTS)}"  # noqa: RUF001
    return f"{words.number(float(_decimal(value).scaleb(-magnitude)), 3)} {power}"


def finite(value: float | None) -> float | None:
    """The number, as one that a chart can show; None for what is none."""
    try:
        number = None if value is None else float(value)
    except (OverflowError, TypeError, ValueError):
        return None
    return number if number is not None and math.isfinite(number) else None


def axis(numbers: Iterable[float], most: int = 5) -> Axis:
    """A scale around finite numbers, by a step of 1, 2 or 5 times a power of ten, with about ``most`` ticks."""
    values = [_decimal(value) for value in numbers]
    low, high = _spread(min(values), max(values)) if values else (Decimal(0), Decimal(1))
    step = _step((high - low) / most)
    first = (low / step).to_integral_value(ROUND_FLOOR)
    last = (high / step).to_integral_value(ROUND_CEILING)
    ticks = tuple((first + index) * step for index in range(int(last - first) + 1))
    magnitude = max(abs(low), abs(high)).adjusted()
    exponent = magnitude if magnitude >= _LARGE or magnitude < _SMALL else 0
    return Axis(ticks=ticks, exponent=exponent, decimals=max(0, exponent - step.adjusted()))


def _spread(low: Decimal, high: Decimal) -> tuple[Decimal, Decimal]:
    largest = max(abs(low), abs(high))
    if largest == 0:
        return Decimal(0), Decimal(1)
    if high - low >= _FLAT * largest:
        return low, high
    return low - _ROOM * largest, high + _ROOM * largest


def _step(least: Decimal) -> Decimal:
    power = Decimal(1).scaleb(least.adjusted())
    return next(step for step in (power, 2 * power, 5 * power, 10 * power) if step >= least)


def _decimal(value: float) -> Decimal:
    return Decimal(repr(float(value)))
