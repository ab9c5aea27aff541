"""Publishes CloudEvents about runs, targets, actions and overdue data to the Event Grid topic of the settings."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from azure.core.credentials import AzureKeyCredential, TokenCredential
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.core.messaging import CloudEvent
from azure.eventgrid import EventGridPublisherClient

from shared.clients.identity import managed_identity
from shared.clients.storage_errors import require_no_page, translated
from shared.errors import Code, PermanentError
from shared.telemetry import trace_headers
from shared.wire_contracts.action_events import action_announcement
from shared.wire_contracts.data_events import overdue_announcement
from shared.wire_contracts.run_events import announcement
from shared.wire_contracts.target_events import target_announcement

if TYPE_CHECKING:
    from shared import settings
    from shared.messages import EndedAction, OverdueData, RunEvent, TargetEvent
    from shared.wire_contracts.run_events import Announcement

log = logging.getLogger(__name__)

SETTING = "EDGETRAIN_ANNOUNCEMENTS__ENDPOINT and __KEY"
# Few tries of its own: the durable retry policy waits better than a blocked call.
_CALL: Final[dict[str, Any]] = {
    "retry_total": 2,
    "retry_backoff_factor": 0.2,
    "retry_backoff_max": 2,
    "connection_timeout": 5,
    "read_timeout": 30,
    "raw_response_hook": require_no_page,
}
"""Given with each call: the SDK's client passes on nothing of what it is made with."""
_SDK_WARNS: Final = "azure.eventgrid._legacy._generated._serialization"
"""It takes the options of a call for fields of the event too, and warns of each."""


class RunEventPublisher:
    """Publishes to the topic of the settings; without that setting, does nothing."""

    def __init__(
        self,
        topic: settings.Announcements | None,
        identity: Callable[[], TokenCredential] = managed_identity,
    ) -> None:
        """``identity``: makes a credential, where the topic is set without a key."""
        self._topic = topic
        self._identity = identity

    def publish(self, event: RunEvent) -> None:
        """Publish a moment of a run. Subscribers recognise a repeat by its id."""
        self._publish(announcement(event))

    def publish_target(self, event: TargetEvent) -> None:
        """Publish a moment of a target."""
        self._publish(target_announcement(event))

    def publish_action(self, ended: EndedAction) -> None:
        """Publish how an operator's action ended."""
        self._publish(action_announcement(ended))

    def publish_overdue(self, overdue: OverdueData) -> None:
        """Publish that data of a pipeline should have come and did not."""
        self._publish(overdue_announcement(overdue))

    def require_access(self) -> None:
        """Ask the topic to take what is no event: it refuses that, but first it looks at the credentials."""
        if self._topic is None:
            return
        with translated("the Event Grid topic", SETTING), _endpoint_is_checked():
            try:
                self._publisher.send([{}], **_CALL)
            except HttpResponseError as error:
                if error.status_code != HTTPStatus.BAD_REQUEST:
                    raise

    def _publish(self, announced: Announcement) -> None:
        if self._topic is None:
            log.debug("%s is not announced: %s are not set", announced.id, SETTING)
            return
        message = CloudEvent(
            id=announced.id,
            type=announced.type,
            source=announced.source,
            subject=announced.subject,
            time=announced.time,
            dataschema=announced.dataschema,
            datacontenttype="application/json",
            data=announced.data,
            extensions=trace_headers() or None,
        )
        with translated("the Event Grid topic", SETTING), _endpoint_is_checked():
            self._publisher.send(message, **_CALL)

    def close(self) -> None:
        """Close the connection."""
        if "_publisher" in self.__dict__:
            self._publisher.close()

    @cached_property
    def _publisher(self) -> EventGridPublisherClient:
        assert self._topic is not None  # noqa: S101 - for the type checker: publish() has looked
        key = self._topic.key
        credential = self._identity() if key is None else AzureKeyCredential(key.get_secret_value())
        logging.getLogger(_SDK_WARNS).setLevel(logging.ERROR)
        return EventGridPublisherClient(self._topic.endpoint, credential)


@contextmanager
def _endpoint_is_checked() -> Iterator[None]:
    """The SDK refuses what is no URL when it is built, and shows a 404 without its status; neither names a setting."""
    try:
        yield
    except (ValueError, ResourceNotFoundError) as error:
        reason = (
            "there is no Event Grid topic at EDGETRAIN_ANNOUNCEMENTS__ENDPOINT; it must be that of a topic, such as "
            "https://TOPIC.REGION.eventgrid.azure.net/api/events"
        )
        raise PermanentError(reason, code=Code.BAD_CONFIGURATION) from error
