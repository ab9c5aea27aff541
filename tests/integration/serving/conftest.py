"""One serving VM for the module's tests; each test prepares a pipeline of its own on it."""

import hashlib
import re
from collections.abc import Iterator

import pytest

from tests.support.serving_host import ServingHost, missing_programs, running_serving_host
from tests.support.serving_place import Place


@pytest.fixture(scope="package")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServingHost]:
    if reason := missing_programs():
        pytest.skip(reason)
    with running_serving_host(tmp_path_factory.mktemp("vm")) as running:
        yield running


@pytest.fixture
def place(host: ServingHost, request: pytest.FixtureRequest) -> Iterator[Place]:
    own = hashlib.sha256(request.node.name.encode()).hexdigest()[:5]  # the end of a long name is that of others too
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_"))[-24:].strip("-") + own
    found = Place(host, name)
    yield found
    found.pipeline = name
    found.connect().apply(found.plan())
