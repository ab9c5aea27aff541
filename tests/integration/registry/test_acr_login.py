"""The Bearer path of an Azure Container Registry, against its login in front of a real registry."""

import io
import random
from collections.abc import Iterator

import pytest

from shared.clients.container_registry import PIECE, ContainerRegistryClient
from shared.clients.registry_login import (
    ACCESS_SECONDS,
    REFRESH_SECONDS,
    EntraLogin,
    PasswordLogin,
)
from shared.errors import Code, PermanentError
from shared.oci.references import digest_of
from tests.support.fake_acr import ENTRA_TOKEN, PASSWORD, USERNAME, FakeAcr, running_acr
from tests.support.registry import RunningRegistry

CONTENT = random.Random(1).randbytes(3 * PIECE)
DIGEST = digest_of(CONTENT)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def acr(open_registry: RunningRegistry) -> Iterator[FakeAcr]:
    with running_acr(open_registry.url) as acr:
        yield acr


def entra_client(acr: FakeAcr, clock: Clock | None = None) -> ContainerRegistryClient:
    login = EntraLogin(acr.url, lambda: ENTRA_TOKEN, clock=clock or Clock())
    return ContainerRegistryClient(acr.url, login)


def password_client(acr: FakeAcr, password: str = PASSWORD) -> ContainerRegistryClient:
    return ContainerRegistryClient(acr.url, PasswordLogin(acr.url, USERNAME, password, clock=Clock()))


def logins(acr: FakeAcr) -> list[str]:
    return [line.split()[1] for line in acr.asked if not line.split()[1].startswith("/v2/")]


def refused(acr: FakeAcr) -> int:
    return sum(line.endswith("401") for line in acr.asked)


def test_a_managed_identity_logs_in_once_and_sends_every_piece_once(acr: FakeAcr, repository: str) -> None:
    with entra_client(acr) as client:
        client.put_blob(repository, DIGEST, io.BytesIO(CONTENT))

    assert logins(acr) == ["/oauth2/exchange", "/oauth2/token"]
    assert refused(acr) == 0
    assert len(acr.asked) == 2 + len(["POST", "PATCH", "PATCH", "PUT"])


def test_a_password_is_shown_to_the_registry_once_and_then_traded_for_tokens(acr: FakeAcr, repository: str) -> None:
    with password_client(acr) as client:
        client.put_blob(repository, DIGEST, io.BytesIO(CONTENT))
        assert client.has_blob(repository, DIGEST)

    assert refused(acr) == 1
    assert logins(acr) == ["/oauth2/token"] * 2  # one token to push, one to pull


def test_a_mount_asks_for_both_repositories(acr: FakeAcr, repository: str) -> None:
    with entra_client(acr) as client:
        client.put_blob(f"{repository}/a", DIGEST, io.BytesIO(CONTENT))
        client.copy_blob(f"{repository}/b", DIGEST, source=f"{repository}/a")

        assert client.has_blob(f"{repository}/b", DIGEST)
    assert refused(acr) == 0


def test_a_blob_is_sent_through_where_the_registry_does_not_mount(acr: FakeAcr, repository: str) -> None:
    acr.mounts = False
    with entra_client(acr) as client:
        client.put_blob(f"{repository}/a", DIGEST, io.BytesIO(CONTENT))
        client.copy_blob(f"{repository}/b", DIGEST, source=f"{repository}/a")

        assert client.has_blob(f"{repository}/b", DIGEST)


def test_a_blob_that_lies_elsewhere_is_followed_there(acr: FakeAcr, repository: str) -> None:
    acr.redirects_blobs = True
    small = b"a configuration"
    with entra_client(acr) as client:
        client.put_blob(repository, digest_of(small), io.BytesIO(small))

        assert client.has_blob(repository, digest_of(small))
        assert client.get_blob(repository, digest_of(small)) == small


@pytest.mark.parametrize("make_client", [entra_client, password_client])
def test_a_token_that_is_refused_is_fetched_anew(acr: FakeAcr, repository: str, make_client: object) -> None:
    assert callable(make_client)
    with make_client(acr) as client:
        client.get_manifest(repository, "latest")
        acr.expire_tokens()

        assert client.get_manifest(repository, "latest") is None


def test_tokens_are_used_for_a_limited_time(acr: FakeAcr, repository: str) -> None:
    clock = Clock()
    with entra_client(acr, clock) as client:
        for elapsed, expected in [
            (0.0, ["/oauth2/exchange", "/oauth2/token"]),
            (ACCESS_SECONDS - 1, []),
            (2.0, ["/oauth2/token"]),
            (REFRESH_SECONDS, ["/oauth2/exchange", "/oauth2/token"]),
        ]:
            acr.asked.clear()
            clock.now += elapsed
            client.get_manifest(repository, "latest")
            assert logins(acr) == expected


def test_a_wrong_password_is_refused_without_saying_it(acr: FakeAcr, repository: str) -> None:
    with password_client(acr, "wrong-password") as client, pytest.raises(PermanentError, match="401") as caught:
        client.get_manifest(repository, "latest")

    assert caught.value.code == Code.REGISTRY_REFUSED
    assert "wrong-password" not in caught.value.reason


def test_a_password_is_not_sent_to_another_host(acr: FakeAcr, repository: str) -> None:
    acr.another_realm = "http://127.0.0.1:1/token"
    said = r"another host, http://127\.0\.0\.1:1"
    with password_client(acr) as client, pytest.raises(PermanentError, match=said):
        client.get_manifest(repository, "latest")
