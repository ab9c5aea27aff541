"""The reason of the verdict ``duplicate``. Pure."""

from datetime import timedelta


def duplicate_reason(earlier: timedelta) -> str:
    """Why another event about a known version of a blob changes nothing; ``earlier``: the first arrival's age."""
    seconds = int(earlier.total_seconds())
    for unit, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"duplicate of an event seen {seconds // length} {unit} earlier"
    if seconds > 0:
        return f"duplicate of an event seen {seconds} s earlier"
    return "duplicate of an event seen at the same moment"
