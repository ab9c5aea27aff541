import io
import json
import random
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.clients import container_registry
from shared.clients.container_registry import PIECE, ContainerRegistryClient, connect
from shared.clients.registry_address import checked_url
from shared.clients.registry_login import PasswordLogin
from shared.errors import Code, PermanentError, TransientError
from shared.oci.images import Descriptor
from shared.oci.media_types import OCI_INDEX, OCI_MANIFEST
from shared.oci.references import ImageName, digest_of
from shared.oci.referrers import Artifact, attach, fallback_tag, referrers
from shared.oci.removal import remove_with_attachments
from shared.oci.transfer import find_image, push_image
from shared.settings import ContainerRegistry
from tests.support.image_registry import a_base_image
from tests.support.registry import RunningRegistry, running_registry

NOTHING = "sha256:" + "0" * 64


@pytest.fixture(params=["open_registry", "closed_registry"])
def client(request: pytest.FixtureRequest) -> Iterator[ContainerRegistryClient]:
    registry: RunningRegistry = request.getfixturevalue(request.param)
    with registry.client() as client:
        yield client


def put(client: ContainerRegistryClient, repository: str, content: bytes) -> str:
    digest = digest_of(content)
    client.put_blob(repository, digest, io.BytesIO(content))
    return digest


@pytest.mark.parametrize("size", [0, 1, PIECE, PIECE + 1, 2 * PIECE + 7])
def test_a_blob_of_any_size_arrives_whole(
    open_registry: RunningRegistry, repository: str, size: int, tmp_path: Path
) -> None:
    content = random.Random(size).randbytes(size)
    with open_registry.client() as client:
        digest = put(client, repository, content)

        assert client.has_blob(repository, digest)

    stored = open_registry.data / "docker/registry/v2/blobs/sha256" / digest[7:9] / digest[7:] / "data"
    assert stored.read_bytes() == content


def test_a_blob_is_sent_while_it_is_made(open_registry: RunningRegistry, repository: str) -> None:
    pieces = [random.Random(number).randbytes(1_000_000) for number in range(9)]
    content = b"".join(pieces)
    with open_registry.client() as client:
        client.put_pieces(repository, pieces, lambda: digest_of(content))

        assert b"".join(client.stream_blob(repository, digest_of(content))) == content
        with pytest.raises(TransientError, match="DIGEST_INVALID"):
            client.put_pieces(repository, pieces, lambda: NOTHING)


def test_an_image_comes_back_as_it_was_pushed(client: ContainerRegistryClient, repository: str, tmp_path: Path) -> None:
    image, parts = a_base_image(tmp_path)
    push_image(client, image, ImageName(repository, "run-1"), parts)
    push_image(client, image, ImageName(repository, "run-2"), parts)

    found = find_image(client, ImageName(repository, "run-1"))
    by_digest = client.get_manifest(repository, image.digest)

    assert found is not None
    assert (found.image, found.digest) == (image, image.digest)
    assert by_digest is not None
    assert by_digest.body == image.manifest


def test_what_is_not_there_is_not_an_error(client: ContainerRegistryClient, repository: str) -> None:
    assert client.get_manifest(repository, "latest") is None
    assert not client.has_blob(repository, NOTHING)


def test_a_blob_is_mounted_from_another_repository(client: ContainerRegistryClient, repository: str) -> None:
    digest = put(client, f"{repository}/a", b"shared" * 100)

    assert client.mount_blob(f"{repository}/b", digest, source=f"{repository}/a")
    assert client.get_blob(f"{repository}/b", digest) == b"shared" * 100
    assert not client.mount_blob(f"{repository}/b", NOTHING, source=f"{repository}/a")


def test_other_bytes_than_the_digest_says_are_refused(client: ContainerRegistryClient, repository: str) -> None:
    with pytest.raises(PermanentError, match=r"sha256:0{64}"):
        client.put_blob(repository, NOTHING, io.BytesIO(b"something else"))

    assert not client.has_blob(repository, NOTHING)


def test_a_manifest_without_its_blobs_may_work_next_time(
    client: ContainerRegistryClient, repository: str, tmp_path: Path
) -> None:
    image, _ = a_base_image(tmp_path, b"never uploaded")

    with pytest.raises(TransientError, match="BLOB_UNKNOWN"):
        client.put_manifest(repository, "run-1", image.manifest, media_type=OCI_MANIFEST)


def test_a_blob_too_large_for_memory_is_refused(open_registry: RunningRegistry, repository: str) -> None:
    with open_registry.client() as client:
        digest = put(client, repository, bytes(container_registry.SMALL_BLOB + 1))

        with pytest.raises(PermanentError, match="is larger than"):
            client.get_blob(repository, digest)


def test_a_wrong_password_is_refused_without_saying_it(closed_registry: RunningRegistry, repository: str) -> None:
    login = PasswordLogin(closed_registry.url, "edgetrain", "wrong-password")
    said = r"401 UNAUTHORIZED.*check EDGETRAIN_CONTAINER_REGISTRY__USERNAME and __PASSWORD"
    with (
        ContainerRegistryClient(closed_registry.url, login) as client,
        pytest.raises(PermanentError, match=said) as caught,
    ):
        put(client, repository, b"x")

    assert caught.value.code == Code.REGISTRY_REFUSED
    assert "wrong-password" not in caught.value.reason


def test_the_settings_make_a_client(closed_registry: RunningRegistry, open_registry: RunningRegistry) -> None:
    secured = ContainerRegistry(
        url=closed_registry.url, username=closed_registry.username, password=closed_registry.password
    )
    for settings in (secured, ContainerRegistry(url=open_registry.url)):
        with connect(settings) as client:
            assert client.get_manifest("no/such", "latest") is None
            assert client.host == settings.url.removeprefix("http://")


def test_a_registry_that_is_down_may_come_back(tmp_path: Path) -> None:
    with running_registry(tmp_path) as registry:
        client = registry.client()
        assert client.get_manifest("a", "latest") is None

    with client, pytest.raises(TransientError, match=r"127\.0\.0\.1:\d+ did not answer"):
        client.has_blob("a", NOTHING)


def test_a_registry_that_breaks_off_may_do_better_next_time(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_hang_up, args=(listener,))
        thread.start()
        client = ContainerRegistryClient(f"http://127.0.0.1:{listener.getsockname()[1]}")
        with client, pytest.raises(TransientError, match="did not answer"):
            client.get_blob("a", NOTHING)
        thread.join()


def _hang_up(listener: socket.socket) -> None:
    """Answer one request with less than is promised."""
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://registry.example", "loopback"),
        ("http://127.0.0.1.example", "by https"),
        ("ftp://127.0.0.1", "by https"),
        ("registry.example", "must be like https://"),
        ("https://user:secret@registry.example", "must be like https://"),
        ("https://registry.example/v2", "must be like https://"),
    ],
)
def test_only_sound_addresses_are_taken(url: str, said: str) -> None:
    with pytest.raises(PermanentError, match=said) as caught:
        checked_url(url)

    assert caught.value.code == Code.BAD_CONFIGURATION
    assert "secret" not in caught.value.reason


@pytest.mark.parametrize(
    "url", ["https://name.azurecr.io/", "http://127.0.0.1:5000", "http://[::1]:5000", "http://localhost:1"]
)
def test_these_addresses_are_fine(url: str) -> None:
    assert checked_url(url) == url.rstrip("/")


def test_an_image_goes_with_its_attachments_and_nothing_else_that_is_named(
    client: ContainerRegistryClient, repository: str, tmp_path: Path
) -> None:
    doomed, parts = a_base_image(tmp_path, b"one layer")
    push_image(client, doomed, ImageName(repository, "run-1"), parts)
    kept, parts = a_base_image(tmp_path, b"another layer")
    push_image(client, kept, ImageName(repository, "run-2"), parts)
    for image, words in ((doomed, b"old"), (kept, b"new")):
        subject = Descriptor(OCI_MANIFEST, image.digest, len(image.manifest))
        signature = Artifact(media_type="application/x", content=words)
        attach(client, repository, subject, [signature])
    forged = client.get_manifest(repository, fallback_tag(doomed.digest))
    assert forged is not None
    index = json.loads(forged.body)
    index["manifests"].append({"mediaType": OCI_MANIFEST, "digest": kept.digest, "size": len(kept.manifest)})
    client.put_manifest(repository, fallback_tag(doomed.digest), json.dumps(index).encode(), media_type=OCI_INDEX)

    before = client.tags(repository)
    gone = remove_with_attachments(client, repository, doomed.digest)
    again = remove_with_attachments(client, repository, doomed.digest)

    assert (gone, again) == (3, 1)
    assert set(before) == {"run-1", "run-2", fallback_tag(doomed.digest), fallback_tag(kept.digest)}
    assert set(client.tags(repository)) == {"run-2", fallback_tag(kept.digest)}
    assert client.get_manifest(repository, doomed.digest) is None
    assert [referrer.digest for referrer in referrers(client, repository, kept.digest)]


def test_a_repository_that_is_not_there_has_no_tags(client: ContainerRegistryClient, repository: str) -> None:
    assert client.tags(repository) == []
