"""Paged lists with continuation tokens. Pages are small, so that a client that reads only the first fails a test."""

import base64
from typing import Any, Final

from local_stack.azure_ml.answers import ServiceError

PAGE: Final = 20
_MARK: Final = "from "


def page_of(found: list[Any], token: object, size: int = PAGE) -> tuple[list[Any], str | None]:
    """One page of what was found, and the token of what follows; None at the end. A bad token is a 400."""
    start = _start(token)
    following = start + size
    return found[start:following], _token(following) if following < len(found) else None


def _token(start: int) -> str:
    return base64.urlsafe_b64encode(f"{_MARK}{start}".encode()).decode()


def _start(token: object) -> int:
    if not token:
        return 0
    try:
        mark, _, number = base64.urlsafe_b64decode(str(token)).decode().partition(_MARK)
        if mark:
            raise ValueError(token)
        return int(number)
    except ValueError:
        raise ServiceError(400, "UserError", "the continuation token is not one of this service") from None
