"""Liveness of the app. Imports nothing slow and needs no thread."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The host runs the app."""

    status: str = "ok"


async def health() -> Health:
    """Answers 200 while the host runs the app."""
    return Health()
