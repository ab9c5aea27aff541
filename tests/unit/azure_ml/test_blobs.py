import base64
import os
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_stack.azure_ml import blobs
from local_stack.azure_ml.workspace import Workspace


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    opened = Workspace.open(tmp_path_factory.mktemp("state"))
    opened.url = "https://127.0.0.1:8443"
    yield opened
    opened.store.close()


def signature(url: str) -> str:
    return parse_qs(urlsplit(url).query)["sig"][0]


def test_the_sdk_takes_an_upload_url_apart_into_the_host_we_listen_on(workspace: Workspace) -> None:
    url = urlsplit(blobs.upload_url(workspace, "artifacts/run/a b#1.txt"))

    # The SDK cuts the host at its first two dots and builds https://{account}.blob.{rest} of the parts.
    account, middle, rest = url.netloc.split(".", 2)
    assert urlsplit(f"https://{account}.{middle}.{rest}").netloc == url.netloc
    assert (middle, url.hostname, url.port) == ("blob", "127.0.0.1", 8443)
    assert len(url.path.strip("/").split("/")) >= 2
    assert url.query


@given(path=st.text(min_size=1, max_size=30), other=st.text(min_size=1, max_size=30))
def test_a_signature_fits_one_path_and_one_purpose(workspace: Workspace, path: str, other: str) -> None:
    read, write = blobs.download_url(workspace, path), blobs.upload_url(workspace, path)

    assert signature(read) != signature(write)
    assert (signature(read) == signature(blobs.download_url(workspace, other))) is (path == other)


def test_another_workspace_signs_otherwise(workspace: Workspace, tmp_path: Path) -> None:
    stranger = Workspace.open(tmp_path)
    stranger.url = workspace.url

    assert signature(blobs.download_url(stranger, "a/b")) != signature(blobs.download_url(workspace, "a/b"))


@given(path=st.text(min_size=1, max_size=60) | st.sampled_from(["../../etc/passwd", "/etc/passwd", "a\0b", "."]))
def test_no_path_leaves_the_folder(workspace: Workspace, path: str) -> None:
    file = blobs.file_of(workspace, path)

    assert file.parent == workspace.blobs
    assert file.name.isalnum()


def test_what_uploads_left_unfinished_is_removed_in_time(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path)
    workspace.blobs.mkdir()
    names = ["kept", "old.partial", f"{base64.b16encode(b'new').decode()}.block", "old.block"]
    for name in names:
        (workspace.blobs / name).write_bytes(b"x")
    month_ago = time.time() - 30 * 86400
    for name in ("kept", "old.partial", "old.block"):
        os.utime(workspace.blobs / name, (month_ago, month_ago))

    blobs.routes(workspace)

    assert sorted(path.name for path in workspace.blobs.iterdir()) == sorted([names[0], names[2]])
