"""The app as its HTTP clients see it: where it is, what may be asked of it, and what can go wrong on the way."""

from cli.client.app import AppClient, Reply
from cli.client.errors import AppRefusedError, ForeignAnswerError, NotReachableError, WrongUseError
from cli.client.places import Place

__all__ = [
    "AppClient",
    "AppRefusedError",
    "ForeignAnswerError",
    "NotReachableError",
    "Place",
    "Reply",
    "WrongUseError",
]
