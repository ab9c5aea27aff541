"""Errors of Azure Storage (tables and blobs), and of Event Grid, in our two families."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from azure.core.exceptions import AzureError, HttpResponseError

from shared.errors import Code, PermanentError, TransientError
from shared.texts import shortened

_SIGNATURE = re.compile(r"\bsig=[^&\s\"')]+")
_MAY_RECOVER = {408, 409, 429}  # 409: what is asked for is being deleted, or changed by another request


@contextmanager
def translated(store: str, setting: str) -> Iterator[None]:
    """Raise the errors of the block as :class:`TransientError` or :class:`PermanentError`.

    ``store`` names what was asked, ``setting`` the app setting to look at when it refuses. Statuses that carry a
    meaning (404, 409, 412) are the caller's to catch inside the block.
    """
    try:
        yield
    except HttpResponseError as error:
        raise _of_status(error, store, setting) from error
    except AzureError as error:  # no answer: refused, reset, timed out, name not found
        # Its text, and that of its causes, holds the address, which may hold a signature: none of them goes further.
        told = _SIGNATURE.sub("sig=...", str(error))
        raise TransientError(f"{store} did not answer: {shortened(told)}") from None


def _of_status(error: HttpResponseError, store: str, setting: str) -> TransientError | PermanentError:
    status = error.status_code
    if status is None or status >= 500 or status in _MAY_RECOVER:
        return TransientError(f"{store} answered {status}: {shortened(error)}")
    if status in {401, 403}:
        reason = f"{store} refused the credentials ({status}); check {setting}: {shortened(error)}"
        return PermanentError(reason, code=Code.BAD_CONFIGURATION)
    reason = f"{store} refused the request ({status}); check {setting}: {shortened(error)}"
    return PermanentError(reason, code=Code.BAD_CONFIGURATION)
