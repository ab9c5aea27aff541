"""Quick looks at a large container of a real blob service, with pages so small that a few blobs make it large."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest
from azure.storage.blob import BlobServiceClient, ContainerClient
from pydantic import SecretStr

from function_app.reconciler.data_changes import quick_scan
from shared.clients.hub_storage import HubStorage
from shared.decisions.reconciliation.change_detection import scan_state
from shared.messages.listings import ScanState
from shared.settings import HUB_API_VERSION, Site
from tests.support.arrivals import a_pipeline
from tests.support.azurite import running_azurite
from tests.support.workflow import START


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_azurite(tmp_path_factory.mktemp("glances"), services=["blob"]) as connections:
        yield connections["testaccount"]


@pytest.fixture
def container(storage: str) -> Iterator[ContainerClient]:
    with BlobServiceClient.from_connection_string(storage, api_version=HUB_API_VERSION) as service:
        container = service.create_container("breast-cancer")
        yield container
        container.delete_container()


@pytest.fixture
def hub(storage: str) -> Iterator[HubStorage]:
    with closing(HubStorage("factory", Site(connection_string=SecretStr(storage)), page=3)) as hub:
        yield hub


def test_the_last_page_is_remembered_and_what_comes_there_is_seen(hub: HubStorage, container: ContainerClient) -> None:
    pipeline = a_pipeline()
    for number in range(10):
        container.upload_blob(f"landing/part-{number}.csv", b"1,2\n")
    first = quick_scan(hub, pipeline, None)
    before = scan_state(None, first, None, START)
    assert first.last_marker
    assert quick_scan(hub, pipeline, before) == first

    container.upload_blob("landing/part-99.csv", b"1,2\n")

    assert quick_scan(hub, pipeline, before) == replace(first, last_page=quick_scan(hub, pipeline, None).last_page)
    assert quick_scan(hub, pipeline, before).last_page != first.last_page
    container.upload_blob("landing/part-00.csv", b"1,2\n")
    assert quick_scan(hub, pipeline, before).first_page != first.first_page


def test_a_marker_of_nobody_knows_when_changes_nothing(hub: HubStorage, container: ContainerClient) -> None:
    for number in range(10):
        container.upload_blob(f"landing/part-{number}.csv", b"1,2\n")
    stale = ScanState(swept_at=START, last_marker="zzzz-no-such-marker")

    assert quick_scan(hub, a_pipeline(), stale).first_page == quick_scan(hub, a_pipeline(), None).first_page
