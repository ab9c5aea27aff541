"""How many examples hypothesis tries, how many threads numpy uses, and which tests keep to one worker."""

import os
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import settings

from tests.support.examples import USUAL

# Per example. It finds what hangs; a shorter one, like hypothesis' own of 0.2 s, finds machines that are busy.
DEADLINE = timedelta(seconds=2)

settings.register_profile("full", max_examples=USUAL, deadline=DEADLINE)
settings.register_profile("quick", max_examples=USUAL // 5, deadline=DEADLINE)
settings.load_profile("full")

# Read when numpy is imported. With data as small as ours, more threads do nothing but wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With ``--dist loadscope``, tests that share servers share a worker, and the servers are started once."""
    from tests.support.sharing import SharedServers

    return SharedServers(config, log) if config.getoption("dist") == "loadscope" else None
