"""Examples of hypothesis, threads of numpy, which tests keep to one worker, and that nothing outlives a run."""

import os
import signal
import tempfile
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import settings

from tests.support import own_run
from tests.support.browser import browser, page_of  # noqa: F401 - fixtures of whoever tests a page
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


_RUN: Final = pytest.StashKey[own_run.OwnRun]()


def pytest_configure(config: pytest.Config) -> None:
    """What this process begins ends with it; what killed ones have left is removed before it is in the way."""
    if not hasattr(config, "workerinput"):
        own_run.tidy_up_after_the_dead(Path(tempfile.gettempdir()))
    config.stash[_RUN] = own_run.begin()


def pytest_sessionstart(session: pytest.Session) -> None:
    """The folders of ``tmp_path`` stay for whoever looks at them; what runs in them, and is mounted there, does not."""
    config = session.config
    if config.getoption("dist", "no") != "no" and not hasattr(config, "workerinput"):
        return  # nothing runs in the folder of a controller but its workers, each of which tidies up after itself
    config.stash[_RUN].covers(config._tmp_path_factory.getbasetemp())  # type: ignore[attr-defined]


def pytest_unconfigure(config: pytest.Config) -> None:
    """All fixtures have ended: whatever is left now is what they forgot."""
    if (run := config.stash.get(_RUN, None)) is not None:
        run.end()


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
