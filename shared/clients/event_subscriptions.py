"""The subscriptions of an Event Grid topic, read from Azure Resource Manager by its REST API.

They are asked for as extension resources of the topic, because that is what the role EventGrid EventSubscription Reader
may read. Their endpoints come without queries, which hold keys.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import requests
from azure.core.credentials import TokenCredential
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from shared.clients.azure_ml.cloud import ResourceManager, resource_manager
from shared.clients.bounded_http import BoundedSession
from shared.clients.foreign_answers import foreign, json_object, stranger
from shared.clients.identity import managed_identity, service_principal
from shared.clients.transient import transient
from shared.errors import Code, PermanentError
from shared.settings import ARRIVALS_TOPIC_SETTING, AzureMl
from shared.values.texts import shortened

API_VERSION: Final = "2025-02-15"
_ARM: Final = "Azure Resource Manager"
_TOPIC: Final = re.compile(r"(?i)(/[a-z]+/[^/?#\s]+){2}/providers/Microsoft\.EventGrid/topics/[a-z0-9-]+")
_TIMEOUT: Final = (5.0, 10.0)  # to connect, to answer; seconds
_MOST_BYTES: Final = 4 * 1024 * 1024
_MOST_PAGES: Final = 10


class MayNotReadError(PermanentError):
    """The identity may not read the subscriptions, which says nothing of them."""


class _Part(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, hide_input_in_errors=True)


class AdvancedFilter(_Part):
    """A condition on one field of an event; all of them must hold."""

    operator_type: str
    key: str = ""
    values: tuple[Any, ...] | None = None


class Filter(_Part):
    """Which events a subscription gets; empty: all."""

    included_event_types: tuple[str, ...] | None = None
    subject_begins_with: str | None = None
    subject_ends_with: str | None = None
    is_subject_case_sensitive: bool | None = None
    advanced_filters: tuple[AdvancedFilter, ...] | None = None


class Leads(_Part):
    """What a destination leads to: the id of a function, or the address of a webhook."""

    resource_id: str | None = None
    endpoint_base_url: str | None = None


class Destination(_Part):
    """Where events go."""

    endpoint_type: str
    properties: Leads = Leads()


class Delivery(_Part):
    """A destination that is reached by an identity of the topic."""

    destination: Destination | None = None


class Definition(_Part):
    """What is said of a subscription."""

    provisioning_state: str = ""
    event_delivery_schema: str | None = None
    destination: Destination | None = None
    delivery_with_resource_identity: Delivery | None = None
    filter: Filter | None = None


class EventSubscription(_Part):
    """A subscription of the topic."""

    name: str
    definition: Definition = Field(alias="properties")

    @property
    def destination(self) -> Destination:
        """Where its events go, by an identity or without."""
        own, by_identity = self.definition.destination, self.definition.delivery_with_resource_identity
        found = own or (by_identity.destination if by_identity else None)
        return found or Destination(endpoint_type="nowhere")

    @property
    def filter(self) -> Filter:
        """Which events it gets."""
        return self.definition.filter or Filter()


class EventSubscriptions:
    """Raises :class:`TransientError` and :class:`PermanentError` only.

    It speaks as the app does to Azure ML, and to the same cloud.
    """

    def __init__(self, settings: AzureMl, identity: Callable[[str], TokenCredential] = managed_identity) -> None:
        """``identity``: makes a credential for a client id, where the settings have no client secret."""
        self._settings = settings
        self._identity = identity

    def of(self, topic_id: str) -> list[EventSubscription]:
        """Those of a topic. :class:`MayNotReadError` is raised where the right is missing."""
        if not _TOPIC.fullmatch(topic_id):
            wanted = "/subscriptions/ID/resourceGroups/GROUP/providers/Microsoft.EventGrid/topics/NAME"
            raise _refused(f"{ARRIVALS_TOPIC_SETTING} is no resource id of a topic; it must be like {wanted}")
        cloud = resource_manager(self._settings)
        token = self._credential(cloud).get_token(cloud.scope).token
        with BoundedSession(_MOST_BYTES) as session:
            session.headers["Authorization"] = f"Bearer {token}"
            return list(_listed(session, cloud.url, topic_id))

    def _credential(self, cloud: ResourceManager) -> TokenCredential:
        settings = self._settings
        if settings.client_secret is None:
            return self._identity(settings.client_id)
        return service_principal(
            settings.tenant_id,
            settings.client_id,
            settings.client_secret.get_secret_value(),
            setting="EDGETRAIN_AZURE_ML__CLIENT_SECRET",
            authority=cloud.login,
        )


def _listed(session: requests.Session, base: str, topic_id: str) -> Iterator[EventSubscription]:
    url = f"{base}{topic_id}/providers/Microsoft.EventGrid/eventSubscriptions?api-version={API_VERSION}"
    for _ in range(_MOST_PAGES):
        body = _asked(session, url)
        try:
            yield from [EventSubscription.model_validate(each) for each in body["value"]]
        except (KeyError, TypeError, ValidationError):
            raise stranger(_ARM, "JSON of another shape") from None
        url = body.get("nextLink") or ""
        if not url:
            return
        if not isinstance(url, str) or not url.startswith(f"{base}/"):  # the token goes there
            raise stranger(_ARM, "a next page that lies elsewhere")


def _asked(session: requests.Session, url: str) -> dict[str, Any]:
    try:
        response = session.get(url, timeout=_TIMEOUT, allow_redirects=False)
    except requests.RequestException as error:
        raise _unavailable(f"{_ARM} did not answer: {type(error).__name__}") from None
    status = response.status_code
    if instead := foreign(status, response.headers.get("Content-Type")):
        raise stranger(_ARM, instead)
    if status in {408, 429} or status >= 500:
        raise _unavailable(f"{_ARM} answered {status}")
    body = json_object(response.content, _ARM)
    if status == 200:
        return body
    said = body.get("error")
    code = shortened(str(said.get("code", ""))) if isinstance(said, dict) else ""
    if status in {401, 403}:
        reason = f"{_ARM} did not let us read the topic's subscriptions: {status} {code}"
        raise MayNotReadError(reason, code=Code.BAD_CONFIGURATION)
    raise _refused(f"{_ARM} answered {status} {code}; check that {ARRIVALS_TOPIC_SETTING} names a topic that is there")


def _refused(reason: str) -> PermanentError:
    return PermanentError(reason, code=Code.BAD_CONFIGURATION)


def _unavailable(cause: str) -> Exception:
    return transient(cause, check="the health of Azure and the network between the app and it")
