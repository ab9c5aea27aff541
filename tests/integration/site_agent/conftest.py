from collections.abc import Iterator

import pytest

from tests.support.podman import TestPodman, missing_podman, running_podman


@pytest.fixture(scope="package")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestPodman]:
    if reason := missing_podman():
        pytest.skip(reason)
    with running_podman(tmp_path_factory.mktemp("podman")) as running:
        running.import_base()
        yield running
