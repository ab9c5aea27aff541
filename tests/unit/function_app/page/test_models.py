"""What the screens of models say."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from function_app.api.passports import Passport
from function_app.page.screens import model as one_model
from function_app.page.screens import models, passport
from shared.messages import Outcome, TargetResult
from tests.simulation.world import World
from tests.support.builders import a_run_request
from tests.support.page_costs import table_requests
from tests.support.page_world import IMAGE, get, html_of, page_world, train

PIPELINE = "breast-cancer"
EVIL = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A pipeline whose model serves, and one for which nothing has arrived."""
    with page_world(tmp_path_factory.mktemp("shop"), {PIPELINE: {}, "quiet": {}}) as world:
        train(world, PIPELINE, "part-1.csv")
        yield world


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Many pipelines, and one of them with many runs, of which every third has made a version; one was removed."""
    names = [f"many-{number:02d}" for number in range(30)]
    with page_world(tmp_path_factory.mktemp("crowd"), {name: {} for name in names}) as world:
        for number in range(200):
            outcome = (Outcome.PROMOTED, Outcome.FAILED, Outcome.NOT_PROMOTED)[number % 3]
            _ran(world, "many-00", number, outcome)
        for number in range(250):
            _ran(world, "many-01", number, Outcome.FAILED)
        _ran(world, "removed", 1, Outcome.PROMOTED)
        yield world


def test_the_list_says_which_version_is_in_use(shop: World) -> None:
    said = html_of(get(shop, "/ui/models"))
    (run,) = shop.ledger.runs.list_runs([PIPELINE]).items

    assert f'<a href="/ui/models/{PIPELINE}">' in said
    assert f"/ui/runs/{run.run_id}" in said
    assert "no version is in use" in said  # of the other one
    assert said.count("<h2") == 2


def test_a_model_shows_its_versions_and_two_of_them_are_compared(shop: World) -> None:
    (first,) = shop.ledger.runs.list_runs([PIPELINE]).items
    assert 'name="left"' not in html_of(get(shop, f"/ui/models/{PIPELINE}"))  # there is one version

    newer = _ran(shop, PIPELINE, 1, Outcome.ROLLED_BACK, model=PIPELINE, later=True, metrics={EVIL: 1.0})
    said = html_of(get(shop, f"/ui/models/{PIPELINE}"))

    assert '<form action="/ui/compare" method="get">' in said
    assert f'name="left" value="{first.run_id}" checked' in said
    assert f'name="right" value="{newer}" checked' in said
    assert said.index(newer) < said.index(first.run_id)
    assert "rolled back" in said
    assert EVIL not in said
    assert f'title="{IMAGE}"' in said
    assert f"/ui/models/{PIPELINE}/1/passport" in said


def test_there_is_no_page_of_a_model_that_nobody_made(shop: World) -> None:
    assert "There is no model" in html_of(get(shop, "/ui/models/other"), 404)
    html_of(get(shop, "/ui/models/other?pipeline=nobody"), 404)
    html_of(get(shop, f"/ui/models/{PIPELINE}?after=nonsense"), 400)
    assert "None of these runs has made a version" in html_of(get(shop, "/ui/models/quiet"))


def test_requests_to_tables_are_bounded(crowd: World) -> None:
    assert table_requests(crowd, "/ui/models") == 1 + 2 * models.PIPELINES
    assert table_requests(crowd, "/ui/models?page=2") == 1 + 2 * 11
    assert table_requests(crowd, "/ui/models/many-00") == 1 + 2  # 80 runs have the least number of versions
    assert table_requests(crowd, "/ui/models/many-01") == 1 + one_model.ROUNDS


def test_every_version_stands_on_one_page(crowd: World) -> None:
    found: list[str] = []
    address = "/ui/models/many-00"
    for _ in range(10):
        said = html_of(get(crowd, address))
        found += [part.partition("<")[0] for part in said.split('<span class="number"><bdi class="plain">')[1:]]
        if 'rel="next" href="' not in said:
            break
        address = said.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")

    assert sorted(map(int, found)) == list(range(0, 200, 3))


def test_the_model_of_a_removed_pipeline_is_found(crowd: World) -> None:
    assert '<a href="/ui/models/removed?pipeline=removed">' in html_of(get(crowd, "/ui/models?page=2"))
    assert "version" in html_of(get(crowd, "/ui/models/removed?pipeline=removed"))


def test_a_passport_is_a_page_that_shows_its_document_as_text(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    document = {"pipeline": EVIL, "run": {"run_id": "r-1", "parameters": {"depth": 3}}, "metrics": {EVIL: 0.5}}
    monkeypatch.setattr(passport, "get_passport", lambda *_: Passport(passport=document, bundle={}))

    said = html_of(get(shop, f"/ui/models/{PIPELINE}/1/passport"))

    assert "<script>alert" not in said
    assert "&lt;script&gt;alert" in said
    assert "edgetrain passport show" in said
    assert json.dumps("r-1").replace('"', "&#34;") in said


def test_a_version_without_a_passport_says_so(shop: World) -> None:
    assert "has no passport" in html_of(get(shop, f"/ui/models/{PIPELINE}/99/passport"), 404)


def _ran(
    world: World,
    pipeline: str,
    number: int,
    outcome: Outcome,
    *,
    model: str = "",
    later: bool = False,
    metrics: dict[str, float] | None = None,
) -> str:
    """A run that has ended; it has made a version when it is good enough, or of that model."""
    fingerprint = hashlib.sha256(f"{pipeline} {number}".encode()).hexdigest()
    at = world.clock.now() + timedelta(minutes=number + 1) * (1 if later else -1)
    run_id = f"{pipeline}-{fingerprint[:12]}-1"
    request = a_run_request(
        run_id=run_id, pipeline=pipeline, fingerprint=fingerprint, requested_by=f"by-{number}", requested_at=at
    )
    world.ledger.runs.claim_run(request)
    record = world.ledger.runs.run(run_id)
    assert record is not None
    made = bool(model) or outcome is Outcome.PROMOTED
    world.ledger.runs.record_run(
        replace(
            record,
            outcome=outcome,
            ended_at=at,
            metrics=metrics or {"accuracy": 0.9},
            model=(model or pipeline) if made else None,
            version=str(number) if made else None,
            image=IMAGE if made else None,
            targets=(TargetResult(target="hub-vm", deployed=True),) if made else (),
        )
    )
    return run_id
