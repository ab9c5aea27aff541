"""Recognise foreign answers: from a proxy, a sign-in page or a load balancer, or cut off half-way.

They say nothing about the resource: not that it exists, is missing or is refused. So they are transient errors, whose
reason names the expected service and what came instead. Their text is never repeated, since it may hold anything.
"""

import json
from typing import Any

from shared.errors import TransientError

_PAGES = {"text/html", "application/xhtml+xml"}
_WHAT_TO_CHECK = "look for a proxy, a sign-in page or a load balancer between the app and it"


def stranger(service: str, instead: str) -> TransientError:
    """The error to raise; ``instead`` describes what came, such as ``a web page (200)``."""
    return TransientError(f"something else than {service} answered: {instead}; {_WHAT_TO_CHECK}")


def foreign(status: int, content_type: str | None) -> str:
    """Why an answer cannot come from an API, in words; empty when it can.

    Our services answer in JSON, XML or bytes, and do not redirect elsewhere (allowed redirects were followed before).
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
