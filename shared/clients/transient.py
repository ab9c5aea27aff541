"""The sentence of a :class:`TransientError`: its cause, and what to check when it lasts.

Whether it is tried again by itself is for the caller to say: an activity and a command at a terminal differ in that.
"""

from shared.errors import TransientError


def transient(cause: str, *, check: str) -> TransientError:
    """``check`` completes "check ..."; each client has one place that gives its own."""
    return TransientError(f"{cause}; if this goes on, check {check}")
