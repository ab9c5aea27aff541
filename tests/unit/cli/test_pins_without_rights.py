"""An operator's role may not reach as far as the pin of an image: it is said, and an error only where it matters."""

import base64
import json

import pytest

from cli.image_pinning import keep_pin
from shared.errors import Code, PermanentError
from shared.oci.references import ImageName
from tests.support.answering import Reply, answering

NAME = ImageName("scoring/diabetes", "e1")
OURS, OTHER = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
OWN = {"x-ms-request-id": "1", "x-ms-version": "2019-07-07"}
REFUSED = Reply(403, b'{"odata.error": {"code": "AuthorizationPermissionMismatch"}}', headers=OWN)
NONE = Reply(404, b'{"odata.error": {"code": "ResourceNotFound"}}', headers=OWN)


def kept(digest: str) -> Reply:
    row = {"PartitionKey": "p", "RowKey": "e1", "digest": digest, "at": "2026-11-01T00:00:00+00:00"}
    return Reply(200, json.dumps({"odata.etag": "W/1", **row}).encode(), headers=OWN)


def pin_with(
    monkeypatch: pytest.MonkeyPatch,
    read: Reply,
    *,
    write: Reply = REFUSED,
    wanted: bool = False,
    anew: bool = False,
    before: str | None = OURS,
) -> str:
    """What is said where nobody may write, and reading is answered so."""
    said: list[str] = []
    with answering() as storage:
        storage.answer = lambda method, _path: read if method == "GET" else write
        key = base64.b64encode(b"k" * 32).decode()
        account = f"DefaultEndpointsProtocol=http;AccountName=acc;AccountKey={key}"
        url = f"{storage.url}/acc"
        monkeypatch.setenv(
            "AzureWebJobsStorage", f"{account};BlobEndpoint={url};QueueEndpoint={url};TableEndpoint={url};"
        )
        keep_pin(NAME, OURS, host="r", pipeline="diabetes", anew=anew, wanted=wanted, before=before, say=said.append)
    return "\n".join(said)


@pytest.mark.parametrize("before", [None, OURS, OTHER])
def test_without_a_pin_the_first_run_pins_it(monkeypatch: pytest.MonkeyPatch, before: str | None) -> None:
    said = pin_with(monkeypatch, NONE, before=before)

    assert "refused the credentials (403)" in said
    assert "the first run that uses it pins it" in said
    assert "could it be read" not in said


def test_who_may_not_read_the_pin_is_not_told_that_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    said = pin_with(monkeypatch, REFUSED)

    assert "nor could it be read whether it is pinned already" in said


@pytest.mark.parametrize("before", [None, OTHER], ids=["of a new tag", "of a tag that moved"])
def test_an_image_that_was_built_anew_is_no_success_where_nobody_knows_its_pin(
    monkeypatch: pytest.MonkeyPatch, before: str | None
) -> None:
    with pytest.raises(PermanentError, match="nor could it be read whether it is pinned already") as caught:
        pin_with(monkeypatch, REFUSED, anew=True, before=before)

    assert caught.value.code is Code.BAD_CONFIGURATION
    assert "Storage Table Data Contributor" in caught.value.reason


def test_a_refusal_that_is_none_of_rights_is_not_one_of_roles(monkeypatch: pytest.MonkeyPatch) -> None:
    odd = Reply(400, b'{"odata.error": {"code": "InvalidInput"}}', headers=OWN)

    with pytest.raises(PermanentError, match="refused the request \\(400\\)") as caught:
        pin_with(monkeypatch, NONE, write=odd)

    assert "Storage Table Data Contributor" not in caught.value.reason


@pytest.mark.parametrize("before", [None, OURS])
def test_without_the_ledgers_setting_the_first_run_pins_it(monkeypatch: pytest.MonkeyPatch, before: str | None) -> None:
    said = without_storage(monkeypatch, before)

    assert "AzureWebJobsStorage is not set" in said
    assert "the first run that uses it pins it, unless it is pinned" in said


def test_without_the_ledgers_setting_no_tag_is_moved_past_its_pin(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PermanentError, match="AzureWebJobsStorage is not set"):
        without_storage(monkeypatch, OTHER)


def without_storage(monkeypatch: pytest.MonkeyPatch, before: str | None) -> str:
    """What is said where the settings name no ledger."""
    said: list[str] = []
    for part in ("", "__accountName", "__blobServiceUri", "__tableServiceUri"):
        monkeypatch.delenv(f"AzureWebJobsStorage{part}", raising=False)
    keep_pin(NAME, OURS, host="r", pipeline="diabetes", anew=False, wanted=False, before=before, say=said.append)
    return "\n".join(said)


@pytest.mark.parametrize("anew", [True, False])
def test_what_is_pinned_to_it_already_is_right(monkeypatch: pytest.MonkeyPatch, anew: bool) -> None:
    assert pin_with(monkeypatch, kept(OURS), anew=anew) == f"r/{NAME} is pinned to {OURS}"


@pytest.mark.parametrize(("read", "wanted"), [(kept(OTHER), False), (NONE, True)], ids=["an older pin", "asked for"])
def test_where_a_run_would_refuse_the_image_the_role_is_named(
    monkeypatch: pytest.MonkeyPatch, read: Reply, wanted: bool
) -> None:
    with pytest.raises(PermanentError, match="Storage Table Data Contributor") as caught:
        pin_with(monkeypatch, read, wanted=wanted, anew=True)

    assert caught.value.code is Code.BAD_CONFIGURATION
    assert "--pin" in caught.value.reason
