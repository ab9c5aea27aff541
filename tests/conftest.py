"""How many examples hypothesis tries, how many threads numpy uses, and which tests keep to one worker."""

import os
import signal
from typing import Any

import pytest
from hypothesis import settings

from tests.support.examples import USUAL
from tests.support.sharing import SharedServers, begins_first

# Without a deadline: one finds no fault of ours, but machines that are busy.
settings.register_profile("full", max_examples=USUAL, deadline=None)
settings.register_profile("quick", max_examples=USUAL // 10, deadline=None)
settings.load_profile("full")

# Read when numpy and scikit-learn are imported. With data as small as ours, more threads do nothing but wait for each
# other: on a busy machine one boosting took two minutes instead of seconds.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")


# Started in the background, as by many CI systems, this process and all that it starts would not hear of Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests that take minutes run where CI is set, and for whoever asks for them; the longest groups begin first.

    Those that take many minutes each run for whoever asks for them only.
    """
    items.sort(key=lambda item: begins_first(item.nodeid))
    if config.getoption("markexpr"):
        return
    waiting = {"on_demand": "takes many minutes; runs with -m on_demand"}
    if not os.environ.get("CI"):
        waiting["long"] = "takes minutes; runs where CI is set, or with -m long"
    for item in items:
        for marker, reason in waiting.items():
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With ``--dist loadscope``, tests that share servers share a worker, and the servers are started once."""
    return SharedServers(config, log) if config.getoption("dist") == "loadscope" else None
