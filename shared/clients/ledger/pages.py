"""Pages of long lists."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

from shared.clients.ledger.tables import Row
from shared.errors import Code, PermanentError

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """A part of a list. ``next``: the token that asks for the following part; None at the end."""

    items: tuple[Item, ...]
    next: str | None = None


def page_of(rows: Iterable[Row], limit: int, item: Callable[[Row], Item]) -> Page[Item]:
    """The first ``limit`` rows as items; the token is the key of the last one."""
    found = list(islice(rows, limit + 1))
    shown = found[:limit]
    return Page(tuple(item(row) for row in shown), shown[-1].key if shown and len(found) > limit else None)


def start_after(token: str | None, *, first: str, pattern: str) -> str:
    """The key at which the part after ``token`` starts; raises :class:`PermanentError` for an invalid token.

    ``first``: where a list starts; ``pattern``: what our keys look like, in ASCII without spaces.
    """
    if token is None:
        return first
    if not re.fullmatch(pattern, token, re.ASCII):
        raise refused_token()
    return f"{token} "  # sorts after the token, and before all that follows it


def refused_token() -> PermanentError:
    """The error for an invalid token."""
    reason = "continuation is not a token that this list gave; leave it out to get the first page"
    return PermanentError(reason, code=Code.BAD_REQUEST)
