"""What goes wrong between the app and Azure Resource Manager, as our two families of errors."""

from typing import Final

from azure.core.exceptions import AzureError, DecodeError, HttpResponseError
from requests import RequestException

from shared.clients.foreign_answers import foreign, stranger
from shared.clients.transient import transient
from shared.errors import Code, EdgetrainError, PermanentError, TransientError
from shared.values.texts import shortened, without_queries

ARM: Final = "Azure Resource Manager"
_CHECK: Final = "the health of Azure and the network between the app and it"
_NO_IMAGE: Final = "InvalidParameterValueInContainerTemplate"
_LONGEST: Final = 400


class Busy(TransientError):  # noqa: N818 - said where it is raised
    """Another operation is under way at the app (409)."""


def answered(error: AzureError, name: str, doing: str) -> EdgetrainError:
    """The error for what the SDK raised; ``doing`` completes "did not ... NAME"."""
    if isinstance(error, DecodeError) or not isinstance(error, HttpResponseError) or error.status_code is None:
        return _without_status(error, name, doing)
    response = error.response
    content_type = getattr(response, "headers", {}).get("Content-Type")
    if instead := foreign(error.status_code, content_type):
        return stranger(ARM, instead)
    code = error.error.code if error.error is not None else ""
    message = error.error.message if error.error is not None else ""
    return refused(error.status_code, code or "", message or "", name, doing)


def refused(status: int, code: str, message: str, name: str, doing: str) -> EdgetrainError:
    """The error for an answer with this status and the service's own words."""
    said = shortened(without_queries(message), _LONGEST).rstrip(".; ")
    words = (str(status) if status >= 400 else "", code, said)  # below 400: the end of an operation
    reason = f"{ARM} did not {doing} {name}: {' '.join(filter(None, words))}"
    if status == 409:
        return Busy(f"{reason}; it is tried again once that operation has ended")
    if code == _NO_IMAGE:
        remedy = "check that the image is in the registry, and that the target's identity or password may pull it"
        return PermanentError(f"{reason}; {remedy}", code=Code.REGISTRY_REFUSED)
    if status in {401, 403}:
        remedy = "give the app's identity the roles Container Apps Contributor and Monitoring Reader"
        return PermanentError(f"{reason}; {remedy}", code=Code.BAD_CONFIGURATION)
    if status in {408, 429} or status >= 500:
        return transient(reason, check=_CHECK)
    if status < 400:
        return TransientError(f"{reason}; it is tried again by itself")
    return PermanentError(f"{reason}; check the settings of the target", code=Code.BAD_CONFIGURATION)


def unanswered(service: str, error: RequestException) -> TransientError:
    """The error when a request got no answer."""
    return transient(f"{service} did not answer: {shortened(without_queries(error), _LONGEST)}", check=_CHECK)


def _without_status(error: AzureError, name: str, doing: str) -> TransientError:
    if isinstance(error, DecodeError):
        return stranger(ARM, "something that is no JSON")
    words = shortened(without_queries(error), _LONGEST)
    return transient(f"{ARM} did not {doing} {name}: {words}", check=_CHECK)
