"""Look at a window: how many arrivals joined, when the last one did, and how long its pipeline wants to wait."""

from typing import Protocol

from shared.messages import ArrivalWindow, WindowState
from shared.pipelines import Pipeline, Settle


class PipelineCatalogue(Protocol):
    """Knows the pipelines."""

    def get(self, name: str) -> Pipeline:
        """The pipeline of that name; raises :class:`shared.errors.PermanentError`."""


class Windows(Protocol):
    """Knows the windows."""

    def window_state(self, window: ArrivalWindow, *, settle: Settle) -> WindowState:
        """What joined so far, and how long the pipeline wants to wait."""


def read_window(window: ArrivalWindow, *, pipelines: PipelineCatalogue, windows: Windows) -> WindowState:
    """The window's state now; the periods come from the pipeline's file as it is now."""
    return windows.window_state(window, settle=pipelines.get(window.pipeline).settle)
