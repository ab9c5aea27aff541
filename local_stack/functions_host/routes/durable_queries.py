"""Query strings of the durable API, read tolerantly where the extension is and strictly where a typo would mislead."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from local_stack.functions_host.durable.interfaces import StatusQuery

_STATUSES: Final = {
    name.lower(): name
    for name in (
        "Pending",
        "Running",
        "Completed",
        "Failed",
        "Terminated",
        "Suspended",
        "ContinuedAsNew",
        "Canceled",
    )
}


class BadQueryError(Exception):
    """A query parameter has a value that means nothing."""


def status_query(query: Mapping[str, str], continuation: str | None) -> StatusQuery:
    """The filter of a list or purge call. Raises :class:`BadQueryError`."""
    names = [name for name in query.get("runtimeStatus", "").split(",") if name.strip()]
    return StatusQuery(
        created_from=_moment(query, "createdTimeFrom"),
        created_to=_moment(query, "createdTimeTo"),
        runtime_statuses=frozenset(_status(name) for name in names),
        id_prefix=query.get("instanceIdPrefix") or None,
        top=_top(query.get("top")),
        continuation=continuation,
        show_input=flag(query, "showInput", default=True),
    )


def flag(query: Mapping[str, str], name: str, *, default: bool = False) -> bool:
    """A boolean as .NET reads it: any case, anything unreadable is the default."""
    return {"true": True, "false": False}.get(query.get(name, "").lower(), default)


def _moment(query: Mapping[str, str], name: str) -> datetime | None:
    text = query.get(name)
    if not text:
        return None
    try:
        # A "+" of an offset that was not percent-encoded arrives as a blank.
        moment = datetime.fromisoformat(text.strip().replace(" ", "+"))
    except ValueError as error:
        raise BadQueryError(f"{name} is not a time") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _status(name: str) -> str:
    try:
        return _STATUSES[name.strip().lower()]
    except KeyError:
        raise BadQueryError(f"unknown runtimeStatus {name!r}") from None


def _top(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdecimal():
        raise BadQueryError("top must be a number")
    return int(text) or None
