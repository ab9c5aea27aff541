"""Row keys: short, free of what Azure Tables forbids (slashes, ``#``, ``?`` and control characters), newest first.

Azure Tables sorts rows by key only, as text; so a key that counts time downwards gives the newest rows first, and a
page of them costs one range query instead of a scan.
https://learn.microsoft.com/rest/api/storageservices/understanding-the-table-service-data-model
"""

import hashlib
from datetime import UTC, datetime, timedelta

_END_OF_TIME = datetime.max.replace(tzinfo=UTC)
_DIGITS = 18  # microseconds until the year 9999


def newest_first(moment: datetime) -> str:
    """Text that sorts later moments first; of equal length for all moments."""
    return str((_END_OF_TIME - moment) // timedelta(microseconds=1)).zfill(_DIGITS)


def digest(*parts: str) -> str:
    """A short safe stand-in for texts from outside: 32 hex characters, the same for the same parts."""
    # Lengths keep ("ab", "c") and ("a", "bc") apart.
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:32]


def end_of(prefix: str) -> str:
    """The first key after every key that starts with ``prefix``."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)


def stamp(moment: datetime) -> str:
    """A moment as text, in UTC."""
    return moment.astimezone(UTC).isoformat()
