from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait

import pytest

from tests.integration.leaks.attacks import ALONE, ATTACKS, LIKE, Attack
from tests.integration.leaks.lab import LeakLab, Outcome, running_leak_lab
from tests.support.podman import missing_podman

AT_ONCE = 3


@pytest.fixture(scope="package")
def leak_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LeakLab]:
    if reason := missing_podman():
        pytest.skip(reason)
    with running_leak_lab(tmp_path_factory.mktemp("leaks")) as lab:
        yield lab


@pytest.fixture(scope="package")
def outcome(request: pytest.FixtureRequest, leak_lab: LeakLab) -> Callable[[Attack], Outcome]:
    """The outcome of an attack. All that are selected run side by side, and have ended before the first test begins.

    pytest writes into ``os.environ`` between tests, and what these threads call reads it: one would fail at times.
    """
    wanted = {
        item.callspec.params.get("attack")
        for item in request.session.items
        if isinstance(item, pytest.Function) and hasattr(item, "callspec") and not item.get_closest_marker("skip")
    }
    with ThreadPoolExecutor(AT_ONCE) as pool:
        runs: dict[str, Future[Outcome]] = {
            attack.name: pool.submit(leak_lab.run, attack) for attack in ATTACKS if attack.name in wanted
        }
        try:
            wait(runs.values())
        finally:
            pool.shutdown(cancel_futures=True)
    return lambda attack: runs[attack.name].result()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "attack" in metafunc.fixturenames:
        asked = bool(metafunc.config.getoption("markexpr"))
        metafunc.parametrize("attack", [pytest.param(each.name, marks=_marks(each, asked=asked)) for each in ATTACKS])


def _marks(attack: Attack, *, asked: bool) -> list[pytest.MarkDecorator]:
    """``asked``: whether tests were selected by markers, as with ``-m long``."""
    if attack.always:
        return []
    if attack.name in LIKE or attack.name in ALONE:
        return [pytest.mark.on_demand]
    again = "test_guard.py carries it out on the guard alone; sealed, it runs with -m long"
    return [pytest.mark.long, *([pytest.mark.skip(reason=again)] if attack.on_guard and not asked else [])]
