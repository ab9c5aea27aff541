from collections.abc import Iterator

import pytest

from tests.support.functions_host import HostProcess, running_host


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostProcess]:
    """One host over the sample app for all tests that leave it running; keys are checked, as in Azure."""
    state = tmp_path_factory.mktemp("functions-host") / "state"
    settings = {"AzureWebJobs.switched_off.Disabled": "true"}
    with running_host(state, "--enforce-keys", settings=settings) as running:
        yield running
