"""Why another event about a known version of a blob changes nothing. Pure."""

from datetime import timedelta


def duplicate_reason(earlier: timedelta) -> str:
    """Why an event about a version of a blob that is known already changes nothing; ``earlier``: its age."""
    seconds = int(earlier.total_seconds())
    for unit, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"duplicate of an event seen {seconds // length} {unit} earlier"
    if seconds > 0:
        return f"duplicate of an event seen {seconds} s earlier"
    return "duplicate of an event seen at the same moment"
