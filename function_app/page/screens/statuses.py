"""Values in custom statuses, which another version of the app may have set: taken as they should be, or left."""

from datetime import datetime


def moment_in(said: object) -> datetime | None:
    """A moment; None for anything else, such as one that does not say of which zone it is."""
    try:
        found = datetime.fromisoformat(said) if isinstance(said, str) else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None


def text_in(said: object) -> str:
    """A text; empty for anything else."""
    return said if isinstance(said, str) else ""


def count_in(said: object) -> int:
    """A whole number; 0 for anything else."""
    return said if isinstance(said, int) else 0
