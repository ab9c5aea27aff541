"""What the reconciler and ``why`` ask of a hub: listings that leave nothing behind."""

import pytest
from azure.storage.blob import BlobServiceClient, ContainerClient

from shared.clients.hub_storage import HubStorage
from shared.errors import Code, PermanentError
from shared.pipelines import Pipeline
from shared.settings import Site
from tests.integration.hub_storage.conftest import Fill
from tests.support.arrivals import a_pipeline

HOLDOUT = "holdout/holdout.csv"


@pytest.fixture
def pipeline(container: ContainerClient) -> Pipeline:
    return a_pipeline(container=container.container_name, settle={"done_marker": "_SUCCESS"})


def _manifests(service: BlobServiceClient) -> set[str]:
    with service.get_container_client("edgetrain-manifests") as client:
        return set(client.list_blob_names()) if client.exists() else set()


def test_a_listing_has_the_digest_of_a_snapshot_and_counts_what_is_fresh(
    hub: HubStorage, service: BlobServiceClient, pipeline: Pipeline, fill: Fill
) -> None:
    fill(HOLDOUT, "landing/a.csv", "landing/b.csv", "landing/readme.txt")
    before = _manifests(service)
    listing = hub.listing(pipeline)
    preview = hub.preview_snapshot(pipeline)
    assert _manifests(service) == before

    snapshot = hub.take_snapshot(pipeline)

    assert listing.digest == snapshot.listing == preview.listing
    assert (preview.digest, preview.manifest, preview.blobs) == (snapshot.digest, snapshot.manifest, 2)
    assert (listing.blobs, listing.size, listing.newest) == (2, 8, snapshot.newest)
    assert (listing.fresh_blobs, listing.fresh_size, listing.marked_etag) == (2, 8, None)
    assert hub.listing(pipeline, newer_than=listing.newest).fresh_blobs == 0


@pytest.mark.parametrize("changed", ["landing/a.csv", "landing/c.csv", HOLDOUT])
def test_whatever_a_snapshot_takes_changes_the_listing(
    hub: HubStorage, pipeline: Pipeline, fill: Fill, changed: str
) -> None:
    fill(HOLDOUT, "landing/a.csv")
    before = hub.listing(pipeline).digest
    fill("landing/readme.txt", "raw/a.csv", "landing/_SUCCESS")
    assert hub.listing(pipeline).digest == before
    fill(changed, content=b"2,1\n")
    assert hub.listing(pipeline).digest != before


def test_a_listing_of_nothing_says_what_is_missing(hub: HubStorage, pipeline: Pipeline, fill: Fill) -> None:
    for missing in ("hold-out", "blob"):
        with pytest.raises(PermanentError, match=f"has no {missing}") as refused:
            hub.listing(pipeline)
        assert refused.value.code is Code.NO_DATA
        fill(HOLDOUT)
    with pytest.raises(PermanentError, match="nowhere") as refused:
        hub.page(a_pipeline(container="nowhere"))
    assert refused.value.code is Code.NO_DATA


def test_pages_follow_their_markers_and_tell_of_what_is_watched(site: Site, pipeline: Pipeline, fill: Fill) -> None:
    fill(*(f"landing/{number}.csv" for number in range(5)), "landing/9.txt")
    hub = HubStorage("factory", site, page=2)

    pages = [hub.page(pipeline)]
    while pages[-1].next_marker is not None:
        pages.append(hub.page(pipeline, pages[-1].next_marker))

    assert [page.blobs for page in pages] == [2, 2, 1]
    assert len({page.digest for page in pages}) == 3
    assert [hub.page(pipeline, page.next_marker).digest for page in pages[:-1]] == [page.digest for page in pages[1:]]
    fill("landing/9.txt", "landing/_SUCCESS")
    assert hub.page(pipeline, pages[1].next_marker).digest == pages[2].digest
    fill("landing/4.csv", content=b"2,1\n")
    assert hub.page(pipeline) == pages[0]
    assert hub.page(pipeline, pages[1].next_marker).digest != pages[2].digest
    assert (hub.page(pipeline, most=1).blobs, hub.page(pipeline, pages[0].next_marker, most=4).blobs) == (1, 2)
    hub.close()


def test_the_page_of_an_empty_container_is_empty(hub: HubStorage, pipeline: Pipeline) -> None:
    page = hub.page(pipeline)
    assert (page.blobs, page.next_marker) == (0, None)


def test_the_done_marker_is_known_by_its_etag(hub: HubStorage, pipeline: Pipeline, fill: Fill) -> None:
    fill(HOLDOUT, "landing/a.csv")
    assert hub.done_marker(pipeline) is None

    fill("landing/_SUCCESS", content=b"")
    first = hub.done_marker(pipeline)
    assert first is not None
    assert hub.listing(pipeline).marked_etag == first
    fill("landing/_SUCCESS", content=b"")
    assert hub.done_marker(pipeline) not in {None, first}
    without = pipeline.model_copy(update={"settle": a_pipeline().settle})
    assert hub.done_marker(without) is None


def test_a_done_marker_that_matches_the_pattern_is_no_data(
    hub: HubStorage, container: ContainerClient, fill: Fill
) -> None:
    pipeline = a_pipeline(container=container.container_name, pattern="*", settle={"done_marker": "done.csv"})
    fill(HOLDOUT, "landing/a.csv", "landing/done.csv")
    assert hub.take_snapshot(pipeline).blobs == 1


def test_a_blob_is_seen_as_a_manifest_lists_it(hub: HubStorage, pipeline: Pipeline, fill: Fill) -> None:
    fill(HOLDOUT, "landing/a.csv", "landing/b.csv", "landing/é ü.csv")
    snapshot = hub.take_snapshot(pipeline)

    for name in ("landing/a.csv", "landing/b.csv", "landing/é ü.csv"):
        listed = hub.find_in_manifest(snapshot.manifest, name)
        assert listed is not None
        assert listed == hub.blob(pipeline, name)
    fill("landing/a.csv")
    assert hub.blob(pipeline, "landing/a.csv") != hub.find_in_manifest(snapshot.manifest, "landing/a.csv")


def test_what_is_not_there_is_none(hub: HubStorage, pipeline: Pipeline, fill: Fill) -> None:
    fill(HOLDOUT, "landing/b.csv")
    manifest = hub.take_snapshot(pipeline).manifest
    for name in ("landing/a.csv", "landing/c.csv", HOLDOUT):
        assert hub.find_in_manifest(manifest, name) is None
    assert hub.find_in_manifest("breast-cancer/no-such.json", "landing/b.csv") is None
    assert hub.blob(pipeline, "landing/a.csv") is None
    assert hub.blob(a_pipeline(container="nowhere"), "landing/a.csv") is None


def test_a_manifest_of_many_blocks_is_read_to_its_end(site: Site, pipeline: Pipeline, fill: Fill) -> None:
    fill(HOLDOUT, *(f"landing/{number}.csv" for number in range(12)))
    hub = HubStorage("factory", site, block=700)
    manifest = hub.take_snapshot(pipeline).manifest
    found = hub.find_in_manifest(manifest, "landing/9.csv")
    assert found is not None
    assert found.name == "landing/9.csv"
    hub.close()


def test_the_holdout_is_known_by_its_content(hub: HubStorage, pipeline: Pipeline, fill: Fill) -> None:
    assert hub.holdout(pipeline) is None
    fill(HOLDOUT, content=b"1,2\n")
    first = hub.holdout(pipeline)
    fill(HOLDOUT, content=b"1,2\n")  # the same bytes, written again
    assert hub.holdout(pipeline) == first
    fill(HOLDOUT, content=b"2,1\n")
    assert hub.holdout(pipeline) != first


def test_a_snapshot_says_which_rows_models_are_measured_on(hub: HubStorage, pipeline: Pipeline, fill: Fill) -> None:
    fill(HOLDOUT, content=b"1,2\n")
    fill("landing/a.csv")
    first = hub.take_snapshot(pipeline)
    fill("landing/b.csv")
    more = hub.take_snapshot(pipeline)
    fill(HOLDOUT, content=b"2,1\n")
    other = hub.take_snapshot(pipeline)

    assert first.holdout == more.holdout != other.holdout
    assert len(first.holdout) == 64
    assert more.digest != other.digest, "another hold-out is another fingerprint"
    assert more.content != other.content
