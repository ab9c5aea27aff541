"""What goes wrong at Azure Resource Manager, as it is said."""

from shared.clients.container_apps.errors import refused
from shared.errors import PermanentError
from tests.support.golden import compare

CASES = {
    "no right": (403, "AuthorizationFailed", "The client 'x' does not have authorization to perform action 'y'."),
    "no token": (401, "InvalidAuthenticationToken", "The access token is expired."),
    "busy": (409, "ContainerAppOperationInProgress", "Cannot modify because an operation is in progress."),
    "no image": (
        200,
        "InvalidParameterValueInContainerTemplate",
        "Field 'template.containers.model.image' is invalid with details: 'Invalid value: MANIFEST_UNKNOWN'.",
    ),
    "an operation that failed": (200, "ContainerAppOperationError", "Failed to provision revision."),
    "too many": (429, "TooManyRequests", "Retry after 30 seconds."),
    "ill": (503, "ServiceUnavailable", ""),
    "a bad body": (400, "ContainerAppInvalidTrafficWeight", "The traffic weights must sum to 100."),
    "a signature in an address": (400, "X", "see https://host/path?sig=secret&x=1"),
}


def test_each_kind_of_refusal_is_said_with_its_remedy() -> None:
    said = {}
    for case, answer in CASES.items():
        error = refused(*answer, "digits", "change")
        said[case] = f"({'permanent' if isinstance(error, PermanentError) else 'transient'}) {error}"
    assert "secret" not in "".join(said.values())
    compare("errors_of_container_apps", "What Azure Resource Manager refuses, as a target says it.", said)
