"""What goes wrong at a hub's blob storage and at Service Bus, as their clients say it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ServiceRequestError
from azure.servicebus.exceptions import (
    MessagingEntityNotFoundError,
    ServiceBusAuthorizationError,
    ServiceBusConnectionError,
)
from pydantic import SecretStr

from shared.clients import service_bus_sender
from shared.clients.hub_blobs import HubBlobs
from shared.clients.hub_storage import HubStorage
from shared.clients.service_bus_access import BusAccess
from shared.clients.storage_errors import ForeignAnswerError, parsed, translated
from shared.formats.manifest import BlobEntry
from shared.settings import ServiceBus, Site
from tests.support.arrivals import a_pipeline
from tests.support.golden import compare
from tests.support.workflow import START
from tests.unit.wording.canned import error_of, raising

CONNECTION = "DefaultEndpointsProtocol=https;AccountName=hub;AccountKey=a2V5;EndpointSuffix=hub.example"
STORE, SETTING = "the blob storage of site factory", "EDGETRAIN_SITES__FACTORY__CONNECTION_STRING"


def test_hub_storage(monkeypatch: pytest.MonkeyPatch) -> None:
    def status(number: int, text: str = "(what it says)") -> HttpResponseError:
        error = HttpResponseError(text)
        error.status_code = number
        return error

    @contextmanager
    def asked() -> Iterator[None]:
        with translated(STORE, SETTING), parsed(STORE):
            yield

    def said(error: Exception) -> str:
        def call() -> None:
            with asked():
                raise error

        return error_of(call)

    def site(text: str = CONNECTION, **sas: str) -> Site:
        return Site(connection_string=SecretStr(text), sas={name: SecretStr(value) for name, value in sas.items()})

    def built(given: Site) -> str:
        return error_of(lambda: HubStorage("factory", given))

    hub, pipeline = HubStorage("factory", site()), a_pipeline()
    monkeypatch.setattr(HubBlobs, "find", lambda *_: None)
    no_holdout = error_of(lambda: hub.take_snapshot(pipeline))
    monkeypatch.setattr(
        HubStorage,
        "_holdout",
        lambda *_: (BlobEntry(name="h", etag='"1"', size=1, md5=None, last_modified=START), None),
    )
    monkeypatch.setattr(HubBlobs, "pages", lambda *_, **__: iter([([], None)]))
    unreadable = HubBlobs("factory", site())._breaks_off(pipeline.data, "after landing/a.csv")
    cases = {
        "it does not answer": said(ServiceRequestError("Connection refused: https://hub.example/x?sig=secret")),
        "it answers 503": said(status(503)),
        "it answers 409": said(status(409)),
        "an incomplete answer": error_of(no_response),
        "another service answers": said(ForeignAnswerError("text/html (200)")),
        "no listing": said(ValueError("no element found")),
        "it refuses the credentials": said(status(403)),
        "it refuses the request": said(status(400)),
        "no connection string": built(site("nonsense")),
        "no SAS": built(site(breast_cancer="nonsense")),
        "a SAS of a newer version": built(site(breast_cancer="sv=2099-01-01&sig=x")),
        "no hold-out": no_holdout,
        "no data": error_of(lambda: hub.listing(pipeline)),
        "a listing that breaks off": error_of(raising(unreadable)),
    }

    compare("errors_of_hub_storage", "What goes wrong at a hub's blob storage, and whether it may pass.", cases)


def no_response() -> None:
    with translated(STORE, SETTING):
        raise AttributeError("NoneType")


def test_service_bus() -> None:
    def said(error: Any) -> str:
        return error_of(raising(service_bus_sender._translated(error, "training-results")))

    def sent(connection: str | None) -> str:
        access = BusAccess.of(connection) if connection is not None else BusAccess(ServiceBus())
        sender = service_bus_sender.BusSender("training-results", access, lambda *_: None)  # type: ignore[arg-type]
        return error_of(sender._open)

    cases = {
        "it does not answer": said(ServiceBusConnectionError(message="Connection refused")),
        "the topic is missing": said(MessagingEntityNotFoundError(message="(what it says)")),
        "the key may not send": said(ServiceBusAuthorizationError(message="(what it says)")),
        "no connection string": sent(None),
        "no connection string of a namespace": sent("nonsense"),
    }

    compare("errors_of_service_bus", "What goes wrong when an answer is sent, and whether it may pass.", cases)
