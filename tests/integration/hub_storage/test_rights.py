"""The app with no more rights than the documentation asks for: all that it does works, and no row can be read."""

import os
import re
import socket
import traceback
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobServiceClient, ContainerClient
from pydantic import SecretStr

from shared.clients.hub_access import HubAccess
from shared.clients.hub_storage import HubStorage
from shared.errors import Code, PermanentError, TransientError
from shared.formats.manifest import CONTAINER as MANIFESTS
from shared.settings import Site
from tests.integration.hub_storage.conftest import Fill
from tests.support.arrivals import a_pipeline
from tests.support.hub_rights import least_rights


@pytest.fixture
def poor(guarded: dict[str, str]) -> Site:
    return least_rights(guarded["hub"])


@pytest.fixture
def poor_hub(poor: Site, service: BlobServiceClient) -> Iterator[HubStorage]:
    if MANIFESTS not in {each.name for each in service.list_containers()}:
        service.create_container(MANIFESTS).close()
    hub = HubStorage("factory", poor, block=4096)
    yield hub
    hub.close()


def test_everything_that_the_app_does_works(poor_hub: HubStorage, container: ContainerClient, fill: Fill) -> None:
    pipeline = a_pipeline(container=container.container_name, settle={"done_marker": "_SUCCESS"})
    data = pipeline.data
    fill(data.holdout, f"{data.prefix}_SUCCESS", *(f"{data.prefix}part-{n:04}.csv" for n in range(60)))
    fill(f"{data.holdout}.old", f"{data.prefix}_SUCCESS.old")

    snapshot = poor_hub.take_snapshot(pipeline)
    assert poor_hub.take_snapshot(pipeline).manifest == snapshot.manifest
    assert snapshot.blobs == 60
    assert snapshot.taken_at is not None
    assert poor_hub.preview_snapshot(pipeline).digest == snapshot.digest
    assert poor_hub.listing(pipeline).marked_etag == poor_hub.done_marker(pipeline)
    assert poor_hub.page(pipeline).blobs == 60
    assert poor_hub.find_in_manifest(snapshot.manifest, f"{data.prefix}part-0007.csv") == poor_hub.blob(
        pipeline, f"{data.prefix}part-0007.csv"
    )
    assert poor_hub.blob(pipeline, f"{data.prefix}part-00") is None

    new = a_pipeline(container=container.container_name, select="new")
    first = poor_hub.take_snapshot(new)
    assert poor_hub.take_snapshot(new, since=first).blobs == 0


def test_with_the_same_rights_no_row_can_be_read_and_nothing_be_changed(
    poor: Site, poor_hub: HubStorage, container: ContainerClient, fill: Fill
) -> None:
    pipeline = a_pipeline(container=container.container_name)
    row = f"{pipeline.data.prefix}part-1.csv"
    fill(pipeline.data.holdout, row, content=b"secret,row\n" + os.urandom(8))
    poor_hub.take_snapshot(pipeline)
    access = HubAccess("factory", poor)
    data = [access.client(each).get_container_client(container.container_name) for each in ("any", MANIFESTS)]
    manifests = access.client(MANIFESTS).get_container_client(MANIFESTS)

    attempts: list[Callable[[], object]] = [
        *(lambda c=c: c.get_blob_client(row).download_blob().readall() for c in data),
        *(lambda c=c: c.get_blob_client(row).get_blob_properties() for c in data),
        *(lambda c=c: c.upload_blob(row, b"forged", overwrite=True) for c in data),
        *(lambda c=c: c.upload_blob("new.csv", b"forged") for c in data),
        *(lambda c=c: c.delete_blob(row) for c in data),
        lambda: list(data[1].list_blobs()),
        manifests.delete_container,
        lambda: access.client("any").create_container("another").close(),
    ]
    for attempt in attempts:
        with pytest.raises(HttpResponseError) as refused:
            attempt()
        assert refused.value.status_code == 403
    access.close()


def test_the_account_is_known_without_its_key(poor: Site) -> None:
    assert HubStorage("factory", poor).account == "hub"
    there = Site(connection_string=SecretStr("BlobEndpoint=https://plant7.blob.local.azurestack.external/"))
    assert HubStorage("factory", there).account == "plant7"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "holds no signature"),
        ("c2VjcmV0", "holds no signature"),
        ("sv=2024-11-04&sr=c&sp=rcw&sig=c2VjcmV0", "version 2024-11-04, which a hub that knows 2019-07-07 refuses"),
    ],
)
def test_a_signature_that_cannot_work_is_named_and_not_repeated(poor: Site, text: str, expected: str) -> None:
    for changes in (
        {"sas": {"edgetrain_manifests": SecretStr(text)}},
        {"connection_string": SecretStr(f"BlobEndpoint=http://h/a;SharedAccessSignature={text or 'x'}")},
    ):
        with pytest.raises(PermanentError, match=expected) as refused:
            HubStorage("factory", poor.model_copy(update=changes))
        assert refused.value.code is Code.BAD_CONFIGURATION
        assert "c2VjcmV0" not in refused.value.reason
        assert "EDGETRAIN_SITES__FACTORY__" in refused.value.reason


def test_a_refusal_names_the_setting_of_the_container(poor: Site, container: ContainerClient, fill: Fill) -> None:
    pipeline = a_pipeline(container=container.container_name)
    fill(pipeline.data.holdout, f"{pipeline.data.prefix}a.csv")
    hub = HubStorage("factory", poor.model_copy(update={"sas": {}}))
    with pytest.raises(PermanentError, match="EDGETRAIN_SITES__FACTORY__CONNECTION_STRING"):
        hub.take_snapshot(pipeline)
    wrong = poor.sas["edgetrain_manifests"].get_secret_value().replace("sig=", "sig=A")
    hub = HubStorage("factory", poor.model_copy(update={"sas": {"edgetrain_manifests": SecretStr(wrong)}}))
    with pytest.raises(PermanentError, match="EDGETRAIN_SITES__FACTORY__SAS__EDGETRAIN_MANIFESTS"):
        hub.take_snapshot(pipeline)


def test_a_hub_that_does_not_answer_leaves_the_signature_out_of_the_reason(poor: Site) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # bound but not listening: refused at once
        there = re.sub(
            r"http://[^/]+", f"http://127.0.0.1:{bound.getsockname()[1]}", poor.connection_string.get_secret_value()
        )
        with pytest.raises(TransientError, match="did not answer") as caught:
            HubStorage("factory", Site(connection_string=SecretStr(there))).take_snapshot(a_pipeline())
    signature = there.rpartition("sig=")[2]
    assert signature[:10] not in "".join(traceback.format_exception(caught.value))


def test_a_missing_container_for_manifests_is_named(accounts: dict[str, str], guarded: dict[str, str]) -> None:
    pipeline = a_pipeline()
    with BlobServiceClient.from_connection_string(accounts["empty"], api_version="2019-07-07") as owner:
        owner.create_container(pipeline.data.container).close()
        for name in (pipeline.data.holdout, f"{pipeline.data.prefix}a.csv"):
            owner.get_blob_client(pipeline.data.container, name).upload_blob(b"1")
        try:
            with pytest.raises(PermanentError, match="edgetrain-manifests"):
                HubStorage("factory", least_rights(guarded["empty"])).take_snapshot(pipeline)
        finally:
            owner.delete_container(pipeline.data.container)


def test_a_manifest_is_removed_when_nobody_took_it_up_for_long(
    poor_hub: HubStorage, container: ContainerClient, fill: Fill
) -> None:
    pipeline = a_pipeline(container=container.container_name)
    fill(pipeline.data.holdout, f"{pipeline.data.prefix}removed.csv")
    name = poor_hub.take_snapshot(pipeline).manifest

    assert not poor_hub.remove_manifest(name, unused_for=timedelta(days=1))
    assert poor_hub.find_in_manifest(name, f"{pipeline.data.prefix}removed.csv") is not None
    assert poor_hub.remove_manifest(name, unused_for=timedelta(days=-1))
    assert poor_hub.find_in_manifest(name, f"{pipeline.data.prefix}removed.csv") is None
    assert poor_hub.remove_manifest(name, unused_for=timedelta(days=1))
    assert poor_hub.take_snapshot(pipeline).manifest == name


def test_a_signature_without_the_right_to_delete_is_named(
    poor_hub: HubStorage, accounts: dict[str, str], guarded: dict[str, str], container: ContainerClient, fill: Fill
) -> None:
    pipeline = a_pipeline(container=container.container_name)
    fill(pipeline.data.holdout, f"{pipeline.data.prefix}stays.csv")
    name = poor_hub.take_snapshot(pipeline).manifest
    poorer = HubStorage("factory", least_rights(guarded["hub"], manifests="rcw"))

    with pytest.raises(PermanentError, match="EDGETRAIN_SITES__FACTORY__SAS__EDGETRAIN_MANIFESTS"):
        poorer.remove_manifest(name, unused_for=timedelta(days=-1))
