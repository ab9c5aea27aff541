import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from site_agent.job import hub as hub_module
from tests.support.azurite import running_azurite
from tests.support.hub_guard import running_hub_guard
from tests.support.hub_rights import rights_of_the_vm
from tests.support.job_inputs import JobHub
from tests.support.spoiled_hub import SpoiledHub, spoiled_hub

_numbers = count()


@pytest.fixture(scope="package")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The connection string of a real blob service."""
    with running_azurite(tmp_path_factory.mktemp("hub"), services=["blob"]) as accounts:
        yield accounts["testaccount"]


@pytest.fixture(scope="package")
def guarded(storage: str) -> Iterator[str]:
    """The same behind the guard, which refuses what a hub would refuse."""
    [port] = re.findall(r"BlobEndpoint=http://[^:]+:(\d+)", storage)
    with running_hub_guard(int(port)) as guard_port:
        yield storage.replace(f":{port}/", f":{guard_port}/")


@pytest.fixture
def door(guarded: str) -> Iterator[SpoiledHub]:
    """The way from the VM to the guard, which sees what is asked for, and can spoil the answers."""
    with spoiled_hub(guarded) as door:
        yield door


@pytest.fixture
def hub(storage: str, door: SpoiledHub, tmp_path: Path) -> JobHub:
    new = JobHub(storage, rights_of_the_vm(door.connection_string), f"data-{next(_numbers)}", tmp_path)
    new.create()
    return new


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job asks the hub again at once."""
    monkeypatch.setattr(hub_module, "PAUSES", (0.0,) * len(hub_module.PAUSES))
