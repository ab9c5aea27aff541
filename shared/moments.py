"""Times from outside: RFC 3339, in whatever offset and precision, made UTC."""

import re
from datetime import UTC, datetime
from typing import Final

_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:\d\d)?)?", re.ASCII)
_LEAP_SECOND: Final = re.compile(r"(?<=:\d\d):60(?=[.Zz+-]|$)")


def moment_from(text: str) -> datetime | None:
    """The moment in UTC; without an offset the text is taken for UTC, a day alone for its beginning.

    ``None`` when it has not that form; raises ``ValueError`` when there is no such moment. Python knows no leap second,
    and neither do the times it is compared with: 23:59:60 is 23:59:59.
    """
    if not _MOMENT.fullmatch(text):
        return None
    try:
        found = datetime.fromisoformat(_LEAP_SECOND.sub(":59", text).upper())
        return found.astimezone(UTC) if found.tzinfo else datetime.combine(found.date(), found.time(), UTC)
    except OverflowError:
        raise ValueError("outside the years 1 to 9999") from None
