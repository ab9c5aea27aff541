"""Parse times from outside (RFC 3339, any offset and precision) into UTC."""

import re
from datetime import UTC, datetime
from typing import Final

_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:\d\d)?)?", re.ASCII)
_LEAP_SECOND: Final = re.compile(r"(?<=:\d\d):60(?=[.Zz+-]|$)")


def moment_from(text: str) -> datetime | None:
    """The moment in UTC; a text without an offset counts as UTC, a date alone as its beginning.

    None when the text has another form; raises ``ValueError`` when there is no such moment. Python has no leap seconds,
    so 23:59:60 becomes 23:59:59.
    """
    if not _MOMENT.fullmatch(text):
        return None
    try:
        found = datetime.fromisoformat(_LEAP_SECOND.sub(":59", text).upper())
        return found.astimezone(UTC) if found.tzinfo else datetime.combine(found.date(), found.time(), UTC)
    except OverflowError:
        raise ValueError("outside the years 1 to 9999") from None
