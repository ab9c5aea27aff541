"""What is under way in a running app, from the Durable extension's own HTTP API on its host.

Needs the system key ``durabletask_extension``: the app's function key does not open it.
"""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote, urlencode

from cli.client.errors import AppRefusedError, ForeignAnswerError, NotReachableError
from cli.client.places import Place
from cli.client.transport import Answer, exchange, session_for

_INSTANCES: Final = "/runtime/webhooks/durabletask/instances"
_TOKEN: Final = "x-ms-continuation-token"  # noqa: S105 - the name of a header
_UNDER_WAY: Final = ("Pending", "Running", "ContinuedAsNew", "Suspended")
_PAGE: Final = 100
_WHOLE: Final = {"showHistory": "true", "showHistoryOutput": "true", "showInput": "true"}
KEY_REMEDY: Final = (
    "put the system key durabletask_extension into EDGETRAIN_DURABLE_KEY: az functionapp keys list"
    " --resource-group GROUP --name APP --query systemKeys.durabletask_extension --output tsv"
)


class InstancesUnderWay:
    """Instances of one app's task hub that have not ended. Close it at the end."""

    def __init__(self, place: Place, *, seconds: float, page: int = _PAGE) -> None:
        self._place = place
        self._seconds = seconds
        self._page = str(page)
        self._session = session_for(place.url)
        self._session.headers["x-functions-key"] = place.key

    def close(self) -> None:
        """Give the connection back."""
        self._session.close()

    def histories(self) -> Iterator[dict[str, Any]]:
        """Each of them with its whole history; those that end meanwhile are left out."""
        for instance_id in list(self._ids()):
            answer = self._get(f"{_INSTANCES}/{quote(instance_id, safe='')}?{urlencode(_WHOLE)}")
            if answer.status == HTTPStatus.NOT_FOUND:
                continue
            document = self._document(answer, dict)
            if document.get("runtimeStatus") in _UNDER_WAY:
                yield document

    def _ids(self) -> Iterator[str]:
        query = {"runtimeStatus": ",".join(_UNDER_WAY), "top": self._page, "showInput": "false"}
        headers: dict[str, str] = {}
        while True:
            answer = self._get(f"{_INSTANCES}?{urlencode(query)}", headers)
            for found in self._document(answer, list):
                yield str(found["instanceId"])
            following = answer.headers.get(_TOKEN, "")
            if not following or following == headers.get(_TOKEN):
                return
            headers = {_TOKEN: following}

    def _get(self, path: str, headers: dict[str, str] | None = None) -> Answer:
        return exchange(self._session, "GET", f"{self._place.url}{path}", headers=headers, seconds=self._seconds)

    def _document(self, answer: Answer, kind: type[Any]) -> Any:
        if answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            reason = f"the host at {self._place.url} does not open its orchestrations to this key ({answer.status})"
            raise AppRefusedError(reason, code="unauthorized", status=answer.status, remedy=KEY_REMEDY)
        if answer.status not in {HTTPStatus.OK, HTTPStatus.ACCEPTED}:
            reason = f"the host at {self._place.url} answers {answer.status} when asked for its orchestrations"
            raise NotReachableError(reason, remedy="try again in a minute", status=answer.status)
        if not isinstance(answer.document, kind):
            raise ForeignAnswerError(f"the host at {self._place.url} does not answer as the Durable extension does")
        return answer.document
