"""What can go wrong between the command line and the app; each kind has an exit status of its own.

::

    EdgetrainError
    ├── WrongUseError         2: the command cannot be carried out as it was written
    ├── AppRefusedError       1: the app answered, and says why not
    ├── ForeignAnswerError    1: the app answered what this version does not understand
    └── NotReachableError     3: nothing answers, or what answers is not the app
"""

from typing import ClassVar

from shared.errors import EdgetrainError
from shared.values.texts import shortened

LONGEST_DETAIL = 2000


class CommandError(EdgetrainError):
    """An error that ends a command. ``code`` is stable; ``remedy`` is what to type next, or to do."""

    exit_status: ClassVar[int] = 1

    def __init__(self, reason: str, *, code: str, remedy: str = "", status: int = 0, field: str | None = None) -> None:
        self.reason = shortened(reason, LONGEST_DETAIL)
        super().__init__(self.reason)
        self.code = shortened(code, 100)
        self.remedy = shortened(remedy, LONGEST_DETAIL)
        self.status = status
        self.field = field


class WrongUseError(CommandError):
    """The command cannot be carried out as it was written."""

    exit_status = 2

    def __init__(self, reason: str, *, remedy: str = "") -> None:
        super().__init__(reason, code="wrong_use", remedy=remedy)


class AppRefusedError(CommandError):
    """The app refused, or could not do it: ``status`` is the HTTP status, ``code`` that of its problem document."""


class ForeignAnswerError(CommandError):
    """An answer that this version of the command line does not understand."""

    def __init__(self, reason: str, *, remedy: str = "use a command line of the app's version") -> None:
        super().__init__(reason, code="not_understood", remedy=remedy)


class NotReachableError(CommandError):
    """The app does not answer; or what answers is not the app, such as a proxy."""

    exit_status = 3

    def __init__(self, reason: str, *, remedy: str = "", status: int = 0) -> None:
        super().__init__(reason, code="not_reachable", remedy=remedy, status=status)
