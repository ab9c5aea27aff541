"""What is said when somebody else did not answer: in the reader's language, where the words are the page's own."""

from collections.abc import Mapping
from typing import Final

from function_app.api.hub_threads import LateError, Other
from function_app.page.later import Own, _
from shared.errors import TransientError

_LATE: Final[Mapping[Other, str]] = {
    Other.STORAGE: _("The storage of the site did not answer within %(seconds)s s. Try again later."),
    Other.REGISTRY: _("The registry did not answer within %(seconds)s s. Try again later."),
    Other.DOCTOR: _("The doctor did not answer within %(seconds)s s. Try again later."),
}


def try_again(error: TransientError) -> str:
    """The sentence; of an error that says what failed in its own words, these, in English."""
    if isinstance(error, LateError):
        return Own(_LATE[error.who], {"seconds": f"{error.seconds:g}"})
    return f"{error}; try again later"
