"""Map errors of Azure Storage (tables and blobs) and of Event Grid to our two families.

The SDKs take every answer for the service's: a proxy's page with status 404 as "no such blob", with 204 as "the row was
written", with 200 it raises an ``AttributeError``. So each answer is checked first (:func:`require_own`), and an answer
that the SDK cannot parse is reported as a foreign answer.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from azure.core.exceptions import AzureError, HttpResponseError, ServiceResponseError

from shared.clients.foreign_answers import foreign, stranger
from shared.clients.transient import transient
from shared.errors import Code, NotAllowedError, PermanentError, TransientError, UnansweredError
from shared.values.texts import shortened, without_queries

_MAY_RECOVER = {408, 409, 429}  # 409: what is asked for is being deleted, or changed by another request


class ForeignAnswerError(ServiceResponseError):
    """A foreign answer; the SDKs retry as if there had been no answer."""


def no_connection_string(setting: str) -> PermanentError:
    """The error for a setting that is no connection string. Its text may hold the key, so it is not quoted."""
    reason = f"{setting} is not a storage connection string with a blob endpoint; copy it again"
    return PermanentError(reason, code=Code.BAD_CONFIGURATION)


def unavailable(cause: str, setting: str) -> TransientError:
    """The error when a store cannot now; ``setting``: the app setting with its address."""
    return transient(cause, check=f"its health, the network between the app and it, and {setting}")


def require_own(answer: Any) -> None:
    """A ``raw_response_hook`` for clients of Azure Storage: raises for a foreign answer.

    Azure Storage puts ``x-ms-request-id`` into every answer, whatever its status.
    """
    response = answer.http_response
    if "x-ms-request-id" not in response.headers:
        kind = str(response.headers.get("Content-Type") or "nothing").partition(";")[0]
        raise ForeignAnswerError(f"{shortened(kind, 60)} ({response.status_code})")


def require_no_page(answer: Any) -> None:
    """The same for services without a mark in their answers: raises for web pages and redirections."""
    response = answer.http_response
    instead = foreign(response.status_code, response.headers.get("Content-Type"))
    if instead:
        raise ForeignAnswerError(instead)


@contextmanager
def parsed(store: str) -> Iterator[None]:
    """Wraps calls whose answers have a body: a body that the SDK cannot parse is a foreign answer."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise stranger(store, f"content of another shape ({type(error).__name__})") from error


@contextmanager
def translated(store: str, setting: str) -> Iterator[None]:
    """Raise the errors of the block as :class:`TransientError` or :class:`PermanentError`.

    ``store`` names what was asked, ``setting`` the app setting to look at when it refuses. Statuses that carry a
    meaning (404, 409, 412) are the caller's to catch inside the block.
    """
    try:
        yield
    except ForeignAnswerError as error:
        raise stranger(store, str(error)) from error
    except HttpResponseError as error:
        raise _of_status(error, store, setting) from error
    except AttributeError as error:  # raised by an SDK that looks for the response of an error that has none
        raise unavailable(f"{store} sent an incomplete answer", setting) from error
    except AzureError as error:  # no answer: refused, reset, timed out, name not found
        # Its text, and that of its causes, holds the address, which may hold a signature: none of them goes further.
        cause = f"{store} did not answer: {shortened(without_queries(error))}"
        raise UnansweredError(str(unavailable(cause, setting))) from None


def _of_status(error: HttpResponseError, store: str, setting: str) -> TransientError | PermanentError:
    status = error.status_code
    if status is not None and status < 400:  # by its headers it is the service's, but not an answer to this request
        return stranger(store, f"an answer that is cut, or to something else ({status})")
    if status is None or status >= 500 or status in _MAY_RECOVER:
        return unavailable(f"{store} answered {status}: {shortened(error)}", setting)
    if status in {401, 403}:
        reason = f"{store} refused the credentials ({status}); check {setting}: {shortened(error)}"
        return NotAllowedError(reason)
    reason = f"{store} refused the request ({status}); check {setting}: {shortened(error)}"
    return PermanentError(reason, code=Code.BAD_CONFIGURATION)
