from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.job_installation import InstalledJob
from tests.support.job_vm import Site, Vm, running_site
from tests.support.podman import TestPodman, missing_podman


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    if reason := missing_podman("docker-registry"):
        pytest.skip(reason)
    with running_site(tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.fixture(scope="package")
def podman(site: Site) -> TestPodman:
    return site.podman


@pytest.fixture(scope="package")
def installed(site: Site) -> InstalledJob:
    return site.installed


@pytest.fixture
def vm(site: Site, tmp_path: Path) -> Vm:
    return site.vm(tmp_path)
