import hashlib
import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import ResourceModifiedError
from azure.storage.blob import BlobServiceClient, ContainerClient, ContentSettings
from pydantic import SecretStr

from shared.clients.hub_storage import HubStorage
from shared.decisions.arrivals import watched_blobs
from shared.errors import Code, PermanentError
from shared.messages import Snapshot
from shared.pipelines import Pipeline
from shared.settings import HUB_API_VERSION, Site
from tests.support.arrivals import a_pipeline


def _fill(container: ContainerClient, names: Iterable[str], content: bytes = b"1,2\n") -> None:
    for name in names:
        container.upload_blob(name, content, overwrite=True)


def _pipeline(container: ContainerClient, **data: Any) -> Pipeline:
    return a_pipeline(container=container.container_name, **data)


def _manifest(service: BlobServiceClient, snapshot: Snapshot) -> dict[str, Any]:
    text = service.get_blob_client("edgetrain-manifests", snapshot.manifest).download_blob().readall()
    assert hashlib.sha256(text).hexdigest() == snapshot.digest
    manifest: dict[str, Any] = json.loads(text)
    assert text == json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return manifest


def test_a_snapshot_lists_what_the_pipeline_selects(
    hub: HubStorage, service: BlobServiceClient, container: ContainerClient
) -> None:
    _fill(container, ["landing/b.csv", "landing/a.csv", "landing/deep/c.csv", "holdout/holdout.csv"])
    _fill(container, ["landing/readme.txt", "raw/a.csv"])
    _fill(container, ["landing/empty.csv"], b"")

    snapshot = hub.take_snapshot(_pipeline(container))

    assert (snapshot.site, snapshot.container) == ("factory", container.container_name)
    assert (snapshot.blobs, snapshot.size) == (3, 12)
    assert snapshot.manifest == f"breast-cancer/{snapshot.digest}.json"
    manifest = _manifest(service, snapshot)
    assert [blob["name"] for blob in manifest["blobs"]] == ["landing/a.csv", "landing/b.csv", "landing/deep/c.csv"]
    assert manifest["holdout"]["name"] == "holdout/holdout.csv"
    assert (manifest["schema"], manifest["pipeline"], manifest["container"]) == (
        1,
        "breast-cancer",
        container.container_name,
    )
    [newest] = {max(blob["last_modified"] for blob in manifest["blobs"])}
    assert snapshot.newest is not None
    assert snapshot.taken_at is not None  # the storage's clock, so never before what it has written
    assert snapshot.newest <= snapshot.taken_at
    assert snapshot.newest.strftime("%Y-%m-%dT%H:%M:%SZ") == newest
    assert manifest["blobs"][0]["md5"] == hashlib.md5(b"1,2\n").hexdigest()


def test_the_etag_in_a_manifest_reads_that_version_and_no_other(
    hub: HubStorage, service: BlobServiceClient, container: ContainerClient
) -> None:
    _fill(container, ["landing/a.csv", "holdout/holdout.csv"])
    manifest = _manifest(service, hub.take_snapshot(_pipeline(container)))
    listed = [*manifest["blobs"], manifest["holdout"]]

    for blob in listed:
        unchanged = {"etag": blob["etag"], "match_condition": MatchConditions.IfNotModified}
        assert container.download_blob(blob["name"], **unchanged).readall() == b"1,2\n"
        container.upload_blob(blob["name"], b"9,9\n", overwrite=True)
        with pytest.raises(ResourceModifiedError):
            container.download_blob(blob["name"], **unchanged)


def test_the_same_blobs_give_the_same_manifest_and_any_change_another(
    hub: HubStorage, container: ContainerClient
) -> None:
    _fill(container, ["landing/a.csv", "holdout/holdout.csv"])
    first = hub.take_snapshot(_pipeline(container))
    again = hub.take_snapshot(_pipeline(container))
    assert replace(again, taken_at=first.taken_at) == first
    assert first.taken_at is not None
    assert (first.listing, first.seen) == (first.content, "")

    _fill(container, ["landing/b.csv"])
    second = hub.take_snapshot(_pipeline(container))
    _fill(container, ["holdout/holdout.csv"], b"7,7\n")
    third = hub.take_snapshot(_pipeline(container))
    assert len({first.digest, second.digest, third.digest}) == 3


@pytest.mark.parametrize("select", ["all", "new", {"latest": 9}])
def test_the_same_bytes_uploaded_again_are_the_same_data(
    hub: HubStorage, service: BlobServiceClient, container: ContainerClient, select: Any
) -> None:
    pipeline = _pipeline(container, select=select)
    names = ["landing/a.csv", "landing/b.csv", "holdout/holdout.csv"]
    _fill(container, names)
    before, looked, listed = hub.take_snapshot(pipeline), hub.page(pipeline), hub.listing(pipeline)

    _fill(container, names)
    after = hub.take_snapshot(pipeline)

    assert (after.content, after.listing, after.digest != before.digest) == (before.content, before.listing, True)
    assert hub.page(pipeline).digest == looked.digest
    assert hub.listing(pipeline).digest == listed.digest == before.listing
    for blob in _manifest(service, after)["blobs"]:  # it can be read as it is now
        unchanged = {"etag": blob["etag"], "match_condition": MatchConditions.IfNotModified}
        assert container.download_blob(blob["name"], **unchanged).readall() == b"1,2\n"

    _fill(container, ["landing/a.csv"], b"2,1\n")  # of the same length
    assert hub.page(pipeline).digest != looked.digest
    assert hub.take_snapshot(pipeline).content != before.content


def test_for_select_new_the_same_bytes_uploaded_again_are_not_new(hub: HubStorage, container: ContainerClient) -> None:
    pipeline = _pipeline(container, select="new")
    _fill(container, ["landing/a.csv", "landing/b.csv", "holdout/holdout.csv"])
    first = hub.take_snapshot(pipeline)

    _fill(container, ["landing/a.csv", "landing/b.csv"])
    assert hub.take_snapshot(pipeline, since=first).blobs == 0

    _fill(container, ["landing/b.csv"], b"2,1\n")
    assert hub.take_snapshot(pipeline, since=first).blobs == 1


def test_an_md5_that_nobody_vouches_for_decides_nothing(
    hub: HubStorage, service: BlobServiceClient, container: ContainerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An append blob keeps the MD5 that its writer gave at the start, whatever is appended."""
    monkeypatch.setattr(watched_blobs, "STILL", timedelta(0))  # as if it had been still for long enough
    _fill(container, ["holdout/holdout.csv"])
    blob = container.get_blob_client("landing/log.csv")
    blob.create_append_blob(content_settings=ContentSettings(content_md5=bytearray(hashlib.md5(b"1,2\n").digest())))
    blob.append_block(b"1,2\n")
    before = hub.take_snapshot(_pipeline(container))
    assert _manifest(service, before)["blobs"][0]["md5"] is None

    blob.set_blob_metadata({"touched": "yes"})  # all that can be told is that something was done to it

    assert hub.take_snapshot(_pipeline(container)).content != before.content


def test_names_of_every_kind_come_in_one_order(
    hub: HubStorage, service: BlobServiceClient, container: ContainerClient
) -> None:
    # The last two are in another order in UTF-16, which some services sort by, than in Unicode.
    names = ["landing/é b.csv", "landing/%41.csv", "landing/A#?.csv", "landing/\uff5e.csv", "landing/\U0001f600.csv"]
    _fill(container, [*names, "holdout/holdout.csv"])

    manifest = _manifest(service, hub.take_snapshot(_pipeline(container)))

    assert [blob["name"] for blob in manifest["blobs"]] == sorted(names)


def test_nothing_is_lost_over_many_pages(site: Site, service: BlobServiceClient, container: ContainerClient) -> None:
    names = [f"landing/part-{n:04d}.csv" for n in range(60)]
    _fill(container, [*names, "holdout/holdout.csv"])
    hub = HubStorage("factory", site, page=7)

    manifest = _manifest(service, hub.take_snapshot(_pipeline(container)))

    assert [blob["name"] for blob in manifest["blobs"]] == names
    hub.close()


def test_a_manifest_larger_than_a_block_arrives_whole(
    site: Site, service: BlobServiceClient, container: ContainerClient
) -> None:
    _fill(container, [*(f"landing/{n}.csv" for n in range(20)), "holdout/holdout.csv"])
    hub = HubStorage("factory", site, block=1024)

    snapshot = hub.take_snapshot(_pipeline(container))

    assert len(_manifest(service, snapshot)["blobs"]) == 20
    hub.close()


def test_an_empty_prefix_takes_the_whole_container_but_the_holdout(
    hub: HubStorage, service: BlobServiceClient, container: ContainerClient
) -> None:
    _fill(container, ["a.csv", "x/b.csv", "holdout/holdout.csv"])
    manifest = _manifest(service, hub.take_snapshot(_pipeline(container, prefix="")))
    assert [blob["name"] for blob in manifest["blobs"]] == ["a.csv", "x/b.csv"]


def _refusal(hub: HubStorage, pipeline: Pipeline) -> PermanentError:
    with pytest.raises(PermanentError) as refused:
        hub.take_snapshot(pipeline)
    return refused.value


def test_missing_data_is_named(hub: HubStorage, container: ContainerClient) -> None:
    name = container.container_name
    refusal = _refusal(hub, _pipeline(container))
    assert f"{name}/holdout/holdout.csv" in refusal.reason
    assert refusal.code is Code.NO_DATA

    _fill(container, ["holdout/holdout.csv", "landing/readme.txt"])
    refusal = _refusal(hub, _pipeline(container))
    assert f"{name}/landing/*.csv" in refusal.reason
    assert refusal.code is Code.NO_DATA

    assert _refusal(hub, a_pipeline(container="nowhere")).code is Code.NO_DATA


def test_the_first_manifest_of_a_hub_creates_its_container(accounts: dict[str, str], guarded: dict[str, str]) -> None:
    with BlobServiceClient.from_connection_string(accounts["empty"], api_version=HUB_API_VERSION) as service:
        with service.create_container("data") as container:
            _fill(container, ["landing/a.csv", "holdout/holdout.csv"])
        hub = HubStorage("empty", Site(connection_string=SecretStr(guarded["empty"])))
        assert [found.name for found in service.list_containers()] == ["data"]

        snapshot = hub.take_snapshot(a_pipeline(container="data"))

        assert len(_manifest(service, snapshot)["blobs"]) == 1
        hub.close()
