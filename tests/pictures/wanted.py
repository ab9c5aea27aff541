"""Which pictures there are: a row each. README and docs show them as ``docs/pictures/NAME.png``."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tests.support.browser import DESKTOP, PHONE

if TYPE_CHECKING:
    from playwright.sync_api import ViewportSize


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A part of a screen: its top, as large as ``size``.

    ``address`` may name what the scene has: ``{pipeline}``, ``{run}``, ``{model}``. ``waits_for``: a selector of what
    must be there before.
    """

    name: str
    address: str
    size: "ViewportSize" = field(default_factory=lambda: DESKTOP)
    dark: bool = False
    waits_for: str = "main h1"


PICTURES: Final = (
    Picture(name="now", address="/ui"),
    Picture(name="now-by-night", address="/ui", dark=True),
    Picture(name="now-on-a-phone", address="/ui", size=PHONE),
    Picture(name="run", address="/ui/runs/{run}"),
    Picture(name="pipeline", address="/ui/pipelines/{pipeline}"),
)
