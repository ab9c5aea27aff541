"""From the SDK's many exceptions to our two families.

The SDK has retried by itself, for up to minutes, before anything arrives here.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from shared.clients.strangers import stranger
from shared.errors import Code, EdgetrainError, PermanentError, TransientError
from shared.texts import shortened

# The authority's words for a service principal that is unknown, or whose secret is wrong or has expired.
_REFUSED = ("AADSTS700016", "AADSTS7000215", "AADSTS7000222", "invalid_client")
_CHECK_PRINCIPAL = "check the service principal's secret and its role on the workspace"


@contextmanager
def translated(action: str, *, absent: PermanentError | None = None) -> Iterator[None]:
    """Let only our errors out; ``action`` completes "Azure ML could not ...". ``absent`` is raised for a 404."""
    import requests
    from azureml.exceptions import AzureMLException, ServiceException, UserErrorException
    from msrest.exceptions import ClientException

    try:
        yield
    except EdgetrainError:
        raise
    except ServiceException as error:
        raise _from_status(action, int(error.status_code), str(error.message), absent) from error
    except UserErrorException as error:  # how the SDK shows a 403
        raise _from_status(action, 403, str(error.message), absent) from error
    except (AzureMLException, ClientException, requests.RequestException) as error:
        text = shortened(getattr(error, "message", None) or str(error))
        reason = f"Azure ML could not {action}: {type(error).__name__}: {text}"
        if any(code in text for code in _REFUSED):
            raise PermanentError(f"{reason}; {_CHECK_PRINCIPAL}", code=Code.BAD_CONFIGURATION) from error
        raise TransientError(reason) from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # The SDK takes every 200 for the service's, and falls over what is not in it.
        raise stranger("Azure ML", f"no answer to: {action} ({type(error).__name__})") from error


def _from_status(action: str, status: int, text: str, absent: PermanentError | None) -> EdgetrainError:
    if status == 404 and absent is not None:
        return absent
    reason = f"Azure ML could not {action}: it answered {status}: {shortened(text)}"
    if status in {401, 403}:
        reason += f"; {_CHECK_PRINCIPAL}"
    if status in {408, 409, 429} or status >= 500:
        return TransientError(reason)
    return PermanentError(reason, code=Code.BAD_CONFIGURATION)
