"""Tell every arrival of a window what became of it."""

from typing import Protocol

from shared.messages import Done, WindowVerdict


class Windows(Protocol):
    """Knows the windows."""

    def record_verdict(self, verdict: WindowVerdict) -> None:
        """Keep the verdict for all arrivals of the window."""


def record_verdict(verdict: WindowVerdict, *, windows: Windows) -> Done:
    """Keep the verdict; repeating it changes nothing."""
    windows.record_verdict(verdict)
    return Done()
