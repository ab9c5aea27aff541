"""Signs, each told from the others by its shape."""

from typing import Final

from function_app.page.charts.frame import line
from function_app.page.charts.svg import Element, compact, element

TICK: Final = "M-5 0L-1.5 4L5 -4"
CROSS: Final = "M-4 -4L4 4M4 -4L-4 4"
ARROW: Final = "M-3 -5L3 0L-3 5"
PAUSE: Final = "M-2.5 -4.5V4.5M2.5 -4.5V4.5"
DASH: Final = "M-5 0H5"


def disc_at(x: float, y: float) -> str:
    """The path of something that is as it should be."""
    return f"M{compact(x - 4)} {compact(y)}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z"


def star_at(x: float, y: float) -> str:
    """The path of a champion."""
    points = "l2 5.2l5.6 .3l-4.4 3.6l1.5 5.4l-4.7 -3.1l-4.7 3.1l1.5 -5.4l-4.4 -3.6l5.6 -.3z"
    return f"M{compact(x)} {compact(y - 8)}{points}"


def small_cross_at(x: float, y: float) -> str:
    """The path of something that is not there."""
    return f"M{compact(x - 3)} {compact(y - 3)}l6 6m0 -6l-6 6"


def diamond_at(x: float, y: float) -> str:
    """The path of something beyond a limit."""
    return f"M{compact(x - 5.5)} {compact(y)}l5.5 -5.5l5.5 5.5l-5.5 5.5z"


def ring(kind: str) -> Element:
    """Something to come, around the origin."""
    return element("circle", r=3.5, class_=kind, fill="none", stroke="currentColor", stroke_width=1.5)


def sign(shape: str | None, state: str) -> Element:
    """The sign of a state, around the origin; without a shape a ring."""
    kind = f"c-sign-{state.replace('_', '-')}"
    return line(shape, kind, width=2) if shape else ring(kind)
