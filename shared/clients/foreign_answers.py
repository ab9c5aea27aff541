"""Answers that somebody else gave: a proxy, a sign-in page, a load balancer, or half of the service's own words.

They say nothing about what was asked: not that it is there, not that it is missing, not that we were refused. So they
are transient trouble, and the reason names who should have answered, and what came instead. No text of theirs is
repeated: it may hold anything.
"""

import json
from typing import Any

from shared.errors import TransientError

_PAGES = {"text/html", "application/xhtml+xml"}
_LOOK = "look for a proxy, a sign-in page or a load balancer between the app and it"


def stranger(service: str, instead: str) -> TransientError:
    """The error to raise; ``instead`` says what came, such as ``a web page (200)``."""
    return TransientError(f"something else than {service} answered: {instead}; {_LOOK}")


def foreign(status: int, content_type: str | None) -> str:
    """What makes an answer one that no API gives, in words; empty when nothing does.

    Our services answer in JSON, XML or bytes, and send nobody elsewhere (redirects that may be followed have been).
    """
    kind = (content_type or "").partition(";")[0].strip().lower()
    if kind in _PAGES:
        return f"a web page ({status})"
    if 300 <= status < 400 and status != 304:
        return f"a redirection ({status})"
    if status in {407, 511}:
        return f"a proxy that wants a login ({status})"
    return ""


def json_object(content: bytes, service: str) -> dict[str, Any]:
    """The JSON object that an answer holds; raises :class:`TransientError` for an empty, cut or other one."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        raise stranger(service, "no JSON" if content.strip() else "an empty answer") from None
    if not isinstance(value, dict):
        raise stranger(service, "JSON of another shape")
    return value
