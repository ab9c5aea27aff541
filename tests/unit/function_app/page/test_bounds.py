"""What a screen costs does not grow with the ledger: requests, rows that are read, size of the page."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from importlib import import_module
from pathlib import Path
from typing import Final

import pytest

from function_app.page.addresses import SCREENS
from function_app.page.screens import act, data, model, models, now, runs, targets, why
from shared.decisions.arrivals.day_counts import HISTORY, SETTLED_AFTER
from shared.messages import Outcome, Serving
from tests.support.arrivals import a_run_record
from tests.support.page_costs import rows_read, table_requests
from tests.support.page_crowd import PIPELINE, Crowd, crowded
from tests.support.page_world import get, html_of, page_world

RUNS, ARRIVALS = 1_000, 10_000
"""``python -m benchmarks --only page`` holds ten times as many to the same numbers."""
MOST_ROWS: Final = 400
ROWS_OF_A_YEAR: Final = HISTORY.days + SETTLED_AFTER.days + 1
"""Counts of days, which the page of a pipeline reads too."""
MOST_BYTES: Final = 150_000
MOST: Final = {  # requests to tables, as the screens' docstrings say
    "now": now.REQUESTS + now.PIPELINES * now.REQUESTS_OF_A_CARD,
    "runs": 2 + runs.PIPELINES,
    "run": 11,
    "compare": 4,
    "why": 2 + why.BESIDES + 3 * 40,
    "data": data.BESIDES + data.ARRIVALS,
    "strays": 1,
    "models": 1 + 2 * models.PIPELINES,
    "model": model.PIPELINES * (1 + model.ROUNDS),
    "passport": 1,
    "targets": 2 + 2 * targets.PLACES,
    "doctor": 0,
    "acted": 2,
    "missing": 0,
    "act start": act.OF_A_START,
    "act roll-back": 1 + act.NAMED,
    **dict.fromkeys(("act approve", "act reject", "act cancel", "act resume"), act.OF_A_RUN),
    **dict.fromkeys(("act release", "act retire", "act reinstate"), act.OF_A_PIPELINE),
}


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crowd]:
    with crowded(tmp_path_factory.mktemp("crowd"), runs=RUNS, arrivals=ARRIVALS) as made:
        yield made


@pytest.fixture(scope="module")
def tenth(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crowd]:
    with crowded(tmp_path_factory.mktemp("tenth"), runs=RUNS // 10, arrivals=ARRIVALS // 10) as made:
        yield made


def test_no_screen_asks_more_or_grows_with_what_the_ledger_holds(crowd: Crowd, tenth: Crowd) -> None:
    for name, address in crowd.screens.items():
        if name == "missing":
            continue
        before = rows_read(crowd.world)
        requests = table_requests(crowd.world, address)  # the page is there, with status 200

        assert requests <= _most(name), name
        most_rows = MOST_ROWS + (ROWS_OF_A_YEAR if name.startswith("data") else 0)
        assert rows_read(crowd.world) - before <= most_rows, name
        assert requests == table_requests(tenth.world, tenth.screens[name]), name


def test_no_screen_is_large_with_all_that_it_loads(crowd: Crowd) -> None:
    for name, address in crowd.screens.items():
        html = html_of(get(crowd.world, address), 404 if name == "missing" else 200)
        loaded = set(re.findall(r'(?:src|href)="(/ui/assets/[^"?]+)', html))
        takes = {"Accept-Encoding": "gzip, deflate"}
        assets = sum(len(get(crowd.world, each, **takes).get_body()) for each in loaded)

        assert loaded, name
        assert len(html.encode()) + assets <= MOST_BYTES, name


def test_every_screen_is_held_to_a_number_that_it_states(crowd: Crowd) -> None:
    modules = {screen.module for screen in SCREENS}
    assert modules == {name.split()[0] for name in crowd.screens}
    for module in modules:
        said = import_module(f"function_app.page.screens.{module}").__doc__ or ""
        assert re.search(r"Bounded:|Nothing is asked|two rows of the ledger", said), module


def test_a_roll_back_says_more_of_the_newest_releases_that_the_target_keeps(tmp_path: Path) -> None:
    releases = [f"{PIPELINE}-{number:012x}-1" for number in range(act.NAMED + 5)]
    address = f"/ui/actions/roll-back?target=hub-vm&name={PIPELINE}"
    with page_world(tmp_path, {PIPELINE: {}}) as world:
        world.ledger.runs.record_run(replace(a_run_record(), run_id=releases[1], outcome=Outcome.PROMOTED))
        world.ledger.targets.saw(
            Serving(target="hub-vm", pipeline=PIPELINE, kept=tuple(releases)), at=world.clock.now()
        )

        said = html_of(get(world, address))

        assert all(f'name="to" value="{each}"' in said for each in releases)
        assert said.count("in use") == 1  # the run that the ledger has
        assert table_requests(world, address) == 1 + act.NAMED


def _most(name: str) -> int:
    return MOST[name] if name in MOST else MOST[name.partition(" ")[0]]


def test_the_runs_of_many_pipelines_are_shown_some_pipelines_at_a_time(tmp_path: Path) -> None:
    names = [f"many-{number:02}" for number in range(2 * runs.PIPELINES + 5)]
    with page_world(tmp_path, {name: {} for name in names}) as world:
        for name in names:
            fingerprint = hashlib.sha256(name.encode()).hexdigest()
            record = replace(a_run_record(), run_id=f"{name}-{fingerprint[:12]}-1", pipeline=name)
            world.ledger.runs.record_run(record)

        assert table_requests(world, "/ui/runs") == 1 + runs.PIPELINES
        shown, address = [], "/ui/runs?outcome=not_promoted"
        while address:
            said = html_of(get(world, address))
            shown += re.findall(r'<th scope="row">.*?/ui/runs/(many-\d\d)-', said)
            following = [unescape(each) for each in re.findall(r'href="([^"]+)">[^<]*after these', said)]
            older = [unescape(each) for each in re.findall(r'rel="next" href="([^"]+)"', said)]
            address = next(iter([*older, *following]), "")

        assert sorted(shown) == names
        assert "many-44" in html_of(get(world, "/ui/runs?pipeline=many-44"))
        assert table_requests(world, "/ui/runs?pipeline=many-44") == 2
