"""``select: new`` and ``select: latest`` on a real hub."""

import json
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient, ContainerClient

from shared.clients.hub_storage import HubStorage
from shared.messages import Snapshot
from shared.pipelines import Pipeline
from tests.integration.hub_storage.conftest import Fill
from tests.support.arrivals import a_pipeline

HOLDOUT = "holdout/holdout.csv"


@pytest.fixture
def new(container: ContainerClient) -> Pipeline:
    return a_pipeline(container=container.container_name, select="new")


def _manifest(service: BlobServiceClient, name: str) -> bytes:
    content: bytes = service.get_blob_client("edgetrain-manifests", name).download_blob().readall()
    return content


def _names(service: BlobServiceClient, snapshot: Snapshot) -> list[str]:
    manifest: dict[str, Any] = json.loads(_manifest(service, snapshot.manifest))
    assert manifest["holdout"]["name"] == HOLDOUT
    return [blob["name"].removeprefix("landing/") for blob in manifest["blobs"]]


def test_new_takes_each_version_once(hub: HubStorage, service: BlobServiceClient, new: Pipeline, fill: Fill) -> None:
    fill(HOLDOUT, "landing/b.csv", "landing/d.csv")
    first = hub.take_snapshot(new)
    assert _names(service, first) == ["b.csv", "d.csv"]

    fill("landing/d.csv", content=b"2,1\n")
    fill("landing/a.csv", "landing/c.csv", "landing/e.csv")  # most likely within the same second
    second = hub.take_snapshot(new, since=first)
    assert _names(service, second) == ["a.csv", "c.csv", "d.csv", "e.csv"]
    assert (second.blobs, second.size) == (4, 16)
    assert second.listing == hub.listing(new).digest

    again = hub.take_snapshot(new, since=first)  # the second was not trained
    assert (again.digest, again.blobs) == (second.digest, 4)

    fill("landing/a.csv", content=b"2,1\n")
    third = hub.take_snapshot(new, since=second)
    assert _names(service, third) == ["a.csv"]


def test_nothing_new_has_no_blobs_and_leaves_nothing(
    hub: HubStorage, service: BlobServiceClient, new: Pipeline, fill: Fill
) -> None:
    fill(HOLDOUT, "landing/a.csv")
    first = hub.take_snapshot(new)
    with service.get_container_client("edgetrain-manifests") as client:
        before = set(client.list_blob_names())
        second = hub.take_snapshot(new, since=first)
        assert set(client.list_blob_names()) == before
    assert (second.blobs, second.size, second.seen) == (0, 0, "")
    assert (second.listing, second.newest) == (first.listing, first.newest)
    assert hub.preview_snapshot(new, since=first).blobs == 0


def test_without_the_list_of_what_is_seen_everything_is_new(
    hub: HubStorage, service: BlobServiceClient, new: Pipeline, fill: Fill
) -> None:
    fill(HOLDOUT, "landing/a.csv", "landing/b.csv")
    first = hub.take_snapshot(new)
    assert b'"landing/a.csv"' in _manifest(service, first.seen)
    service.get_blob_client("edgetrain-manifests", first.seen).delete_blob()
    assert hub.take_snapshot(new, since=first).blobs == 2

    everything = hub.take_snapshot(a_pipeline(container=new.data.container))
    assert hub.take_snapshot(new, since=everything).blobs == 2


def test_new_keeps_to_one_order_too(hub: HubStorage, service: BlobServiceClient, new: Pipeline, fill: Fill) -> None:
    # In another order in UTF-16, which some services sort by, than in Unicode.
    fill(HOLDOUT, "landing/\uff5e.csv", "landing/\U0001f600.csv")
    first = hub.take_snapshot(new)
    fill("landing/\U0001f601.csv", "landing/a.csv")
    second = hub.take_snapshot(new, since=first)
    assert _names(service, first) == ["\uff5e.csv", "\U0001f600.csv"]
    assert _names(service, second) == ["a.csv", "\U0001f601.csv"]


def test_latest_takes_the_newest_and_lists_them_by_name(
    hub: HubStorage, service: BlobServiceClient, container: ContainerClient, fill: Fill
) -> None:
    fill(HOLDOUT, *(f"landing/{name}.csv" for name in "abcd"))
    pipeline = a_pipeline(container=container.container_name, select={"latest": 2})

    snapshot = hub.take_snapshot(pipeline)

    listed = {blob.name: blob.last_modified for blob in container.list_blobs(name_starts_with="landing/")}
    newest = sorted(listed, key=lambda name: (listed[name], name))[-2:]
    assert _names(service, snapshot) == sorted(name.removeprefix("landing/") for name in newest)
    assert (snapshot.blobs, snapshot.listing) == (2, hub.listing(pipeline).digest)
    assert snapshot.listing != snapshot.digest
