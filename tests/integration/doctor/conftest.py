from collections.abc import Iterator

import pytest

from tests.integration.doctor.lab import Lab, running_lab
from tests.support.serving_host import missing_programs


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One site for all faults: each is planted, asked about, and taken out again."""
    missing = missing_programs()
    if missing:
        pytest.skip(missing)
    with running_lab(tmp_path_factory.mktemp("doctor")) as running:
        yield running
