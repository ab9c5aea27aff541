"""The hub's storage through the vendor's client: what the real one takes passes, what it refuses is refused alike."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
import requests
from azure.core import MatchConditions
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobClient, BlobSasPermissions, BlobServiceClient, generate_blob_sas

from local_stack.files import read_object
from local_stack.supervisor import Stack

MEGABYTE = 1024 * 1024


def hub(stack: Stack, **options: object) -> BlobServiceClient:
    section = stack.endpoints["hub_storage"]
    return BlobServiceClient.from_connection_string(
        section["connection_string"], **{"api_version": section["api_version"], **options}
    )


def test_the_sdks_own_newer_version_is_refused(stack: Stack) -> None:
    section = stack.endpoints["hub_storage"]
    with (
        BlobServiceClient.from_connection_string(section["connection_string"], retry_total=0) as client,
        pytest.raises(HttpResponseError) as caught,
    ):
        client.create_container("too-new")

    assert caught.value.status_code == 400
    assert caught.value.error_code == "InvalidHeaderValue"  # type: ignore[attr-defined]
    assert "x-ms-version" in str(caught.value)


@pytest.mark.parametrize("name", ["plain.csv", "landing/a b/ü+%25 (1).csv", "q=1&r=2#x.csv"])
def test_signed_requests_pass_with_any_name(stack: Stack, name: str) -> None:
    with hub(stack) as client, client.get_container_client("names") as container:
        if not container.exists():
            container.create_container()
        blob = container.get_blob_client(name)

        blob.upload_blob(b"a,b\n1,2\n", overwrite=True, metadata={"batch": "7"})

        assert blob.download_blob().readall() == b"a,b\n1,2\n"
        assert blob.download_blob(offset=4, length=3).readall() == b"1,2"
        assert blob.get_blob_properties().metadata == {"batch": "7"}
        assert name in container.list_blob_names(name_starts_with=name[:5])
        blob.delete_blob()
        assert not blob.exists()


def test_fifty_megabytes_stream_through_in_both_directions(stack: Stack) -> None:
    content = b"0123456789abcdef" * (50 * MEGABYTE // 16)
    with hub(stack, max_single_put_size=64 * MEGABYTE, max_single_get_size=64 * MEGABYTE) as client:
        container = client.create_container("large")
        blob = container.upload_blob("one-request.bin", content)
        digest = hashlib.sha256()
        for chunk in blob.download_blob().chunks():
            digest.update(chunk)

    assert digest.hexdigest() == hashlib.sha256(content).hexdigest()
    guard = next(status.pid for status in stack.status() if status.name == "hub_storage")
    peak = next(line for line in Path(f"/proc/{guard}/status").read_text().splitlines() if line.startswith("VmHWM"))
    assert int(peak.split()[1]) < 100 * 1024, "the guard held the body in memory"


def test_blocks_and_conditions_pass(stack: Stack) -> None:
    with hub(stack, max_single_put_size=1024, max_block_size=1024) as client:
        container = client.create_container("blocks")
        blob = container.upload_blob("in-blocks.bin", b"x" * 5000)
        etag = blob.get_blob_properties().etag
        blob.upload_blob(b"y", overwrite=True)

        with pytest.raises(HttpResponseError) as caught:
            blob.download_blob(etag=etag, match_condition=MatchConditions.IfNotModified)

    assert caught.value.status_code == 412


def test_a_shared_access_signature_of_a_newer_version_fails_authentication(stack: Stack) -> None:
    section = stack.endpoints["hub_storage"]
    with hub(stack) as client:
        client.create_container("signed").upload_blob("a.csv", b"1")
    key = section["connection_string"].split("AccountKey=")[1].split(";")[0]
    signature = generate_blob_sas(
        section["account"],
        "signed",
        "a.csv",
        account_key=key,
        permission=BlobSasPermissions(read=True),
        expiry=datetime.now(UTC) + timedelta(hours=1),
    )
    url = f"{section['blob_endpoint']}/signed/a.csv?{signature}"

    with (
        BlobClient.from_blob_url(url, api_version=section["api_version"]) as blob,
        pytest.raises(ClientAuthenticationError) as caught,
    ):
        blob.download_blob()

    assert caught.value.status_code == 403
    assert caught.value.error_code == "AuthenticationFailed"  # type: ignore[attr-defined]
    # The signature itself is good: the storage behind the guard takes it.
    behind = next(status.url for status in stack.status() if status.name == "hub_backend")
    there = urlunsplit(urlsplit(url)._replace(netloc=urlsplit(behind).netloc))
    assert requests.get(there, timeout=10).content == b"1"


def test_the_vm_holds_a_key_of_its_own_that_works(stack: Stack) -> None:
    file = Path(stack.endpoints["vm"]["home"]) / ".config" / "edgetrain" / "sites" / "factory.json"
    held = read_object(file)

    assert file.stat().st_mode & 0o077 == 0
    assert held["api_version"] == "2019-07-07"
    assert held["connection_string"] != stack.endpoints["hub_storage"]["connection_string"]
    with hub(stack) as app:
        app.create_container("shared").upload_blob("a.csv", b"rows")
    with BlobServiceClient.from_connection_string(held["connection_string"], api_version=held["api_version"]) as vm:
        assert vm.get_blob_client("shared", "a.csv").download_blob().readall() == b"rows"


def test_a_wrong_key_is_refused_by_the_storage_itself(stack: Stack) -> None:
    section = stack.endpoints["hub_storage"]
    with (
        BlobServiceClient(
            section["blob_endpoint"], credential="d3Jvbmc=", api_version=section["api_version"], retry_total=0
        ) as client,
        pytest.raises(HttpResponseError) as caught,
    ):
        client.create_container("nope")

    assert caught.value.status_code == 403


def test_a_storage_that_is_gone_is_busy_not_silent(stack: Stack) -> None:
    stack.kill("hub_backend")
    try:
        with hub(stack, retry_total=0) as client, pytest.raises(HttpResponseError) as caught:
            client.create_container("nobody")
        assert (caught.value.status_code, caught.value.error_code) == (503, "ServerBusy")  # type: ignore[attr-defined]
    finally:
        stack.start_service("hub_backend")

    with hub(stack) as client:
        assert client.create_container("back-again").exists()


def test_the_cloud_side_takes_todays_versions_for_blobs_and_tables(stack: Stack) -> None:
    connection = stack.endpoints["cloud_storage"]["connection_string"]
    with BlobServiceClient.from_connection_string(connection) as blobs:
        assert blobs.create_container("cloud").exists()
    with TableServiceClient.from_connection_string(connection) as tables:
        table = tables.create_table("ledger")
        table.create_entity({"PartitionKey": "p", "RowKey": "r", "n": 7})
        assert table.get_entity("p", "r")["n"] == 7
