"""From the SDK's many exceptions to our two families.

The SDK has retried by itself, for up to minutes, before anything arrives here.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from shared.clients.foreign_answers import foreign, stranger
from shared.clients.transient import transient
from shared.errors import Code, EdgetrainError, PermanentError, TransientError
from shared.values.texts import shortened, without_queries

# The authority's words for a service principal that is unknown, or whose secret is wrong or has expired.
_REFUSED = ("AADSTS700016", "AADSTS7000215", "AADSTS7000222", "invalid_client")
# The service's sentence inside the text of an exception of the SDK, which quotes the whole answer, escaped or not.
_SENTENCE = re.compile(r'\\?"message\\?":\s*\\?"(?P<said>[^"\\]+)')
_PIECE = 16  # characters of a key; shorter ones may be in any text
_CHECK_PRINCIPAL = "check the service principal's secret and its role on the workspace"
_CHECK_SETTINGS = "check the app settings EDGETRAIN_AZURE_ML__... and the workspace that they name"


def unavailable(cause: str) -> TransientError:
    """The error when Azure ML cannot now; ``cause`` names it."""
    return transient(cause, check="its health in the Azure portal and the network between the app and it")


@contextmanager
def translated(action: str, *, absent: PermanentError | None = None, secret: str = "") -> Iterator[None]:
    """Let only our errors out; ``action`` completes "Azure ML could not ...".

    ``absent`` is raised for a 404 of the service. ``secret`` is what was sent: an answer that quotes
    it is not repeated.
    """
    import requests
    from azure.core.exceptions import AzureError
    from azureml.exceptions import AzureMLException, ServiceException, UserErrorException
    from msrest.exceptions import ClientException

    try:
        yield
    except EdgetrainError:
        raise
    except ServiceException as error:
        _require_own(action, getattr(error, "response", None))
        raise _from_status(action, int(error.status_code), _said(error), absent) from error
    except UserErrorException as error:  # how the SDK shows a 403
        _require_own(action, getattr(error.__cause__, "response", None))
        raise _from_status(action, 403, str(error.message), absent) from error
    except (AzureMLException, ClientException, AzureError, requests.RequestException) as error:
        raise _from_text(action, error, secret) from None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # The SDK takes every 200 for the service's, and falls over what is not in it.
        raise stranger("Azure ML", f"no answer to: {action} ({type(error).__name__})") from error


def _said(error: Any) -> str:
    """The service's own message; the SDK surrounds it with headers and a copy of the body."""
    try:
        said = json.loads(error.response.text)["error"]["message"]
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        said = None
    return said if isinstance(said, str) and said else str(error.message)


def _require_own(action: str, response: object) -> None:
    """Raise :class:`TransientError` when an error is not the service's own; a 404 of a proxy does not say "absent"."""
    headers = getattr(response, "headers", None) or {}
    instead = foreign(int(getattr(response, "status_code", 0)), headers.get("Content-Type"))
    if instead:
        raise stranger("Azure ML", f"{instead}, to: {action}")


def _from_text(action: str, error: Exception, secret: str) -> EdgetrainError:
    text = str(getattr(error, "message", None) or error)
    if secret and _quotes(text, secret):
        text = "its answer is withheld, because it quotes what was sent"
    # The SDK's uploads and downloads have signed addresses.
    found = _SENTENCE.search(text)
    said = found["said"] if found else text
    reason = f"Azure ML could not {action}: {type(error).__name__}: {shortened(without_queries(said))}"
    if any(code in text for code in _REFUSED):
        return PermanentError(f"{reason}; {_CHECK_PRINCIPAL}", code=Code.BAD_CONFIGURATION)
    return unavailable(reason)


def _quotes(text: str, secret: str) -> bool:
    """Whether some piece of the secret is in the text, however either is broken into lines."""
    hidden, shown = "".join(secret.split()), "".join(text.split())
    return any(hidden[start : start + _PIECE] in shown for start in range(max(1, len(hidden) - _PIECE + 1)))


def _from_status(action: str, status: int, text: str, absent: PermanentError | None) -> EdgetrainError:
    if status == 404 and absent is not None:
        return absent
    reason = f"Azure ML could not {action}: it answered {status}: {shortened(text)}"
    if status in {408, 409, 429} or status >= 500:
        return unavailable(reason)
    remedy = _CHECK_PRINCIPAL if status in {401, 403} else _CHECK_SETTINGS
    return PermanentError(f"{reason}; {remedy}", code=Code.BAD_CONFIGURATION)
