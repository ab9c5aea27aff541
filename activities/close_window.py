"""Close a window, so that the next arrival opens a new one."""

from typing import Protocol

from shared.messages import ArrivalWindow, Done


class Windows(Protocol):
    """Knows the windows."""

    def close_window(self, window: ArrivalWindow) -> None:
        """Give up the pipeline's claim if it is still this window's."""


def close_window(window: ArrivalWindow, *, windows: Windows) -> Done:
    """Close it *before* the container is listed (see ``admit_run``).

    An arrival joins the open window after its blob was written. If it joined this one, its blob is there before the
    close and so in the listing; if it comes after the close, it opens a new window, which lists again. Closing after
    the listing would lose what lands between the two.
    """
    windows.close_window(window)
    return Done()
