"""What is between the app and a registry may answer in its place: that is never a registry's answer."""

import io
import json
import traceback
from collections.abc import Callable, Iterator

import pytest

from shared.clients.container_registry import ContainerRegistryClient
from shared.clients.registry_login import EntraLogin, Login, PasswordLogin
from shared.errors import PermanentError, TransientError
from shared.oci.media_types import OCI_MANIFEST
from shared.oci.references import digest_of
from tests.support.answering import PAGE, SIGN_IN, Answering, Reply, answering
from tests.support.serving_host import free_port

BLOB = b"a blob"
DIGEST = digest_of(BLOB)
OTHER = digest_of(b"another")

Call = Callable[[ContainerRegistryClient], object]

CALLS: dict[str, Call] = {
    "get_manifest": lambda client: client.get_manifest("models/x", "latest"),
    "get_manifest by digest": lambda client: client.get_manifest("models/x", DIGEST),
    "put_manifest": lambda client: client.put_manifest("models/x", "latest", b"{}", media_type=OCI_MANIFEST),
    "get_referrers": lambda client: client.get_referrers("models/x", DIGEST),
    "has_blob": lambda client: client.has_blob("models/x", DIGEST),
    "get_blob": lambda client: client.get_blob("models/x", DIGEST),
    "put_blob": lambda client: client.put_blob("models/x", DIGEST, io.BytesIO(BLOB)),
    "mount_blob": lambda client: client.mount_blob("models/x", DIGEST, source="models/y"),
}


@pytest.fixture(scope="module")
def server() -> Iterator[Answering]:
    with answering() as server:
        yield server


def calling(server: Answering, answer: Callable[[str, str], Reply]) -> ContainerRegistryClient:
    server.answer = answer
    return ContainerRegistryClient(server.url)


def elsewhere(status: int) -> Reply:
    return Reply(status, b"", "text/plain", {"Location": "/v2/models/x/blobs/uploads/1"})


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("status", [200, 201, 202, 401, 403, 404, 407])
def test_a_web_page_is_no_answer_whatever_its_status(server: Answering, call: str, status: int) -> None:
    client = calling(server, lambda *_: Reply(status, PAGE, "text/html"))

    with client, pytest.raises(TransientError, match=r"registry 127.0.0.1:.*a web page"):
        CALLS[call](client)


def test_what_is_attached_is_read_in_pages(server: Answering) -> None:
    def answer(method: str, path: str) -> Reply:
        last = "last=1" in path
        headers = {} if last else {"Link": f'<{path}?last=1>; rel="next"'}
        body = {"manifests": [{"digest": OTHER if last else DIGEST}]}
        return Reply(200, json.dumps(body).encode(), "application/vnd.oci.image.index.v1+json", headers)

    with calling(server, answer) as client:
        found = client.get_referrers("models/x", DIGEST)

    assert found is not None
    assert [each["digest"] for each in json.loads(found)["manifests"]] == [DIGEST, OTHER]


@pytest.mark.parametrize("call", ["put_manifest", "put_blob", "mount_blob"])
def test_a_redirection_of_an_upload_is_no_answer(server: Answering, call: str) -> None:
    client = calling(server, lambda *_: Reply(302, headers={"Location": "http://sign-in.invalid/"}))

    with client, pytest.raises(TransientError, match=r"a redirection \(302\)"):
        CALLS[call](client)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"schemaVersion"', b"7"])
def test_a_manifest_is_a_json_object(server: Answering, body: bytes) -> None:
    client = calling(server, lambda *_: Reply(body=body, content_type=OCI_MANIFEST))

    with client, pytest.raises(TransientError, match="something else"):
        client.get_manifest("models/x", "latest")


def test_a_manifest_is_held_to_the_digest_that_comes_with_it(server: Answering) -> None:
    reply = Reply(body=b"{}", content_type=OCI_MANIFEST, headers={"Docker-Content-Digest": OTHER})

    with calling(server, lambda *_: reply) as client, pytest.raises(TransientError, match="other bytes"):
        client.get_manifest("models/x", "latest")


def test_a_blob_that_was_cut_is_not_read(server: Answering) -> None:
    client = calling(server, lambda *_: Reply(body=BLOB[:3], content_type="application/octet-stream"))

    with client, pytest.raises(TransientError, match="models/x@sha256"):
        client.get_blob("models/x", DIGEST)


def test_a_blob_that_ends_early_is_not_read(server: Answering) -> None:
    client = calling(server, lambda *_: Reply(body=BLOB[:3], content_type="application/octet-stream", cut=3))

    with client, pytest.raises(TransientError, match="did not answer"):
        client.get_blob("models/x", DIGEST)


def test_the_signed_address_of_a_blob_is_not_shown(server: Answering) -> None:
    """Registries keep bytes elsewhere, at addresses that whoever knows may read for a while."""
    nobody = f"http://127.0.0.1:{free_port()}/data?d=blob&s=secret-signature&v=1"
    client = calling(server, lambda *_: Reply(status=307, headers={"Location": nobody}))

    with client, pytest.raises(TransientError, match=r"/data\?\.\.\.") as raised:
        client.get_blob("models/x", DIGEST)
    assert "secret-signature" not in "".join(traceback.format_exception(raised.value))


def test_a_blob_that_was_cut_is_not_copied(server: Answering) -> None:
    def answer(method: str, path: str) -> Reply:
        return Reply(body=BLOB[:3], content_type="application/octet-stream") if method == "GET" else elsewhere(202)

    client = calling(server, answer)
    server.asked.clear()

    with client, pytest.raises(TransientError, match="models/y@sha256"):
        client.copy_blob("models/x", DIGEST, source="models/y")
    assert not any(line.startswith("PUT") for line in server.asked)


@pytest.mark.parametrize("named", [{}, {"Docker-Content-Digest": OTHER}])
def test_an_upload_counts_only_when_the_registry_says_what_it_has(server: Answering, named: dict[str, str]) -> None:
    def answer(method: str, path: str) -> Reply:
        if method == "PUT":
            return Reply(201, headers=named)
        return elsewhere(202) if method == "POST" else Reply(404, b'{"errors": []}')

    with calling(server, answer) as client:
        with pytest.raises(TransientError, match=r"does not have it|other bytes"):
            client.put_blob("models/x", DIGEST, io.BytesIO(BLOB))
        with pytest.raises(TransientError, match=r"does not have it|other bytes"):
            client.put_manifest("models/x", "latest", b"{}", media_type=OCI_MANIFEST)


def test_bytes_that_were_changed_on_the_way_are_sent_again(server: Answering) -> None:
    said = json.dumps({"errors": [{"code": "DIGEST_INVALID", "message": "did not match"}]}).encode()
    client = calling(server, lambda method, _: Reply(400, said) if method == "PUT" else elsewhere(202))

    with client, pytest.raises(TransientError, match="400 DIGEST_INVALID"):
        client.put_blob("models/x", DIGEST, io.BytesIO(BLOB))


def test_an_upload_needs_a_place(server: Answering) -> None:
    client = calling(server, lambda *_: Reply(202))

    with client, pytest.raises(TransientError, match="a 202"):
        client.put_blob("models/x", DIGEST, io.BytesIO(BLOB))


def test_an_error_of_another_shape_is_still_a_refusal(server: Answering) -> None:
    client = calling(server, lambda *_: Reply(400, b'{"errors": [7]}'))

    with client, pytest.raises(PermanentError, match="models/x:latest: 400"):
        client.get_manifest("models/x", "latest")


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (SIGN_IN, "a web page"),
        (Reply(403, PAGE, "text/html"), "a web page"),
        (Reply(302), "a redirection"),
        (Reply(body=b""), "an empty answer"),
        (Reply(body=b'{"access_token": "e'), "no JSON"),
        (Reply(body=b"[]"), "JSON of another shape"),
        (Reply(body=b'{"expires_in": 300}'), "JSON without a token"),
        (Reply(body=b'{"token": null, "access_token": null, "refresh_token": null}'), "JSON without a token"),
        (Reply(body=b'{"token": "a\\nb", "access_token": "a b", "refresh_token": 7}'), "JSON without a token"),
    ],
)
@pytest.mark.parametrize("way", ["password", "entra"])
def test_a_login_without_a_token_is_no_login(server: Answering, reply: Reply, said: str, way: str) -> None:
    def answer(_: str, path: str) -> Reply:
        challenge = {"WWW-Authenticate": f'Bearer realm="{server.url}/token",service="r"'}
        return Reply(401, headers=challenge) if path.startswith("/v2/") else reply

    server.answer = answer
    logins: dict[str, Login] = {
        "password": PasswordLogin(server.url, "user", "password"),
        "entra": EntraLogin(server.url, lambda: "entra-token"),
    }

    with (
        ContainerRegistryClient(server.url, logins[way]) as client,
        pytest.raises(TransientError, match=f"login service http://127.0.0.1:.*{said}"),
    ):
        client.get_manifest("models/x", "latest")
