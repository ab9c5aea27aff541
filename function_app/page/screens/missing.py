"""An address below the page's own at which there is no screen. Nothing is asked."""

from typing import NoReturn

from function_app.page.later import _
from function_app.problems import RefusedError


async def view() -> NoReturn:
    """There is none."""
    raise RefusedError(
        404, "unknown_screen", _("There is no such screen. The links above lead to those that there are.")
    )
