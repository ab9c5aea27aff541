"""Files that grow, such as logs: a snapshot passes them over until they have been still, and says so."""

import json
from datetime import timedelta

import pytest
from azure.storage.blob import BlobServiceClient, ContainerClient

from shared.clients.hub_storage import HubStorage
from shared.decisions.arrivals import watched_blobs
from shared.errors import Code, PermanentError
from shared.messages import LeftOut, Snapshot
from shared.settings import Site
from tests.integration.hub_storage.conftest import Fill
from tests.support.arrivals import a_pipeline

HOLDOUT = "holdout/holdout.csv"
LOG = "landing/log.csv"
PASSED_OVER = (LeftOut(why="still_written", count=1, first=(LOG,)),)


def grow(container: ContainerClient, name: str = LOG) -> None:
    blob = container.get_blob_client(name)
    if not blob.exists():
        blob.create_append_blob()
    blob.append_block(b"1,2\n")


def names(service: BlobServiceClient, snapshot: Snapshot) -> list[str]:
    manifest = json.loads(service.get_blob_client("edgetrain-manifests", snapshot.manifest).download_blob().readall())
    return [blob["name"] for blob in manifest["blobs"]]


def test_a_growing_file_changes_neither_snapshot_nor_listing_nor_quick_scan(
    hub: HubStorage, service: BlobServiceClient, container: ContainerClient, fill: Fill
) -> None:
    pipeline = a_pipeline(container=container.container_name)
    fill(HOLDOUT, "landing/a.csv")
    alone, listed, page = hub.take_snapshot(pipeline), hub.listing(pipeline), hub.page(pipeline)

    for _ in range(2):
        grow(container)
        snapshot = hub.take_snapshot(pipeline)

        assert (snapshot.digest, snapshot.listing, snapshot.blobs) == (alone.digest, alone.listing, 1)
        assert snapshot.left_out == PASSED_OVER
        assert hub.listing(pipeline).digest == listed.digest
        assert hub.page(pipeline).digest == page.digest


@pytest.mark.parametrize("select", ["all", "new"])
def test_it_is_taken_when_it_has_been_still(
    hub: HubStorage,
    service: BlobServiceClient,
    container: ContainerClient,
    fill: Fill,
    monkeypatch: pytest.MonkeyPatch,
    select: str,
) -> None:
    pipeline = a_pipeline(container=container.container_name, select=select)
    fill(HOLDOUT, "landing/a.csv")
    grow(container)
    first, page = hub.take_snapshot(pipeline), hub.page(pipeline)
    assert names(service, first) == ["landing/a.csv"]

    monkeypatch.setattr(watched_blobs, "STILL", timedelta(0))
    later = hub.take_snapshot(pipeline, since=first)

    assert LOG in names(service, later)
    assert later.left_out == ()
    assert later.listing != first.listing
    assert hub.page(pipeline).digest != page.digest


def test_only_what_the_pipeline_watches_is_reported(hub: HubStorage, container: ContainerClient, fill: Fill) -> None:
    pipeline = a_pipeline(container=container.container_name)
    fill(HOLDOUT, "landing/a.csv")
    for name in ("raw/log.csv", "landing/readme.txt"):
        grow(container, name)

    assert hub.preview_snapshot(pipeline).left_out == ()


def test_names_are_given_once_over_many_pages(site: Site, container: ContainerClient, fill: Fill) -> None:
    pipeline = a_pipeline(container=container.container_name)
    fill(HOLDOUT, *(f"landing/{number}.csv" for number in range(5)))
    for number in range(5, 8):
        grow(container, f"landing/{number}.csv")
    hub = HubStorage("factory", site, page=2)

    [omission] = hub.preview_snapshot(pipeline).left_out
    hub.close()

    assert (omission.count, omission.first) == (3, ("landing/5.csv", "landing/6.csv", "landing/7.csv"))


def test_when_there_is_nothing_else_it_is_said_what_is_waited_for(
    hub: HubStorage, container: ContainerClient, fill: Fill
) -> None:
    fill(HOLDOUT)
    grow(container)

    with pytest.raises(PermanentError, match=r"1 append blob .*log\.csv") as none:
        hub.take_snapshot(a_pipeline(container=container.container_name))

    assert none.value.code is Code.NO_DATA
