from collections.abc import Iterator

import pytest

from tests.support.identity import Storage, TokenService, storage_behind_a_door, storage_by_identity, token_service

LOCAL_RESOURCE = "https://127.0.0.1/one-of-a-stand-in"


@pytest.fixture(scope="session")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TokenService]:
    with token_service(tmp_path_factory.mktemp("identity"), "--resource", LOCAL_RESOURCE) as service:
        yield service


@pytest.fixture(scope="session")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    with storage_by_identity(tmp_path_factory.mktemp("storage"), ["blob", "table"]) as storage:
        yield storage


@pytest.fixture(scope="session")
def door(tmp_path_factory: pytest.TempPathFactory, tokens: TokenService) -> Iterator[Storage]:
    with storage_behind_a_door(tmp_path_factory.mktemp("door"), tokens.state / "issuer.json") as storage:
        yield storage
