"""What the doctor's screen says, and when it looks."""

import importlib
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from function_app.api.doctor import report_of
from function_app.doctor.examination import WAITS
from function_app.page.commands import Advice, advice_in
from shared.doctor import Finding, State
from shared.doctor.runner import WITHIN
from shared.errors import TransientError
from tests.simulation.world import World
from tests.support.page_costs import table_requests
from tests.support.page_world import get, html_of, page_world

doctor = importlib.import_module("function_app.page.screens.doctor")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with page_world(tmp_path_factory.mktemp("shop"), {"breast-cancer": {}}) as world:
        places = {"sites": {"mine": None}, "computes": {}, "targets": {}}
        world.services.__dict__["settings"] = SimpleNamespace(**{**vars(world.services.settings), **places})
        yield world


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """The sites that were looked at."""
    asked: list[str | None] = []

    def look(_: object, query: object) -> object:
        asked.append(getattr(query, "site", None))
        return report_of(tuple(_finding(state) for state in State))

    monkeypatch.setattr(doctor, "doctor", look)
    return asked


def test_the_page_says_that_it_looks_and_does_not_wait_for_it(shop: World, looks: list[str | None]) -> None:
    said = html_of(get(shop, "/ui/doctor?site=factory"))

    assert looks == []
    assert said.count("/ui/doctor?run=1&amp;site=factory") == 2  # what fetches, and the link without scripts
    assert 'hx-trigger="load"' in said
    assert '<option value="factory" selected>' in said
    assert '<option value="mine">' in said
    assert table_requests(shop, "/ui/doctor") == 0


def test_what_was_found_is_grouped_and_nothing_looks_again(shop: World, looks: list[str | None]) -> None:
    part = html_of(get(shop, "/ui/doctor?run=1&site=factory", **{"HX-Request": "true"}))

    assert looks == ["factory"]
    assert "hx-" not in part
    places = [part.index(f">{name}</h2>") for name in ("Wrong", "Could not be found out", "Not looked at", "Right")]
    assert places == sorted(places)
    assert "found wrong" in part[places[0] : places[1]]
    assert '<bdi class="plain">podman info</bdi></code>' in part
    assert part.index("<details>") > places[3]
    assert "1 thing is wrong" in part

    whole = html_of(get(shop, "/ui/doctor?run=1"))
    assert "found wrong" in whole
    assert "data-every" not in whole


def test_who_comes_while_another_looks_is_told_so(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: object) -> object:
        raise TransientError("the doctor examines already for somebody else")

    monkeypatch.setattr(doctor, "doctor", busy)

    said = html_of(get(shop, "/ui/doctor?run=1", **{"HX-Request": "true"}))
    assert "examines already" in said
    assert 'href="/ui/doctor?run=1"' in said


def test_a_site_that_cannot_be_is_refused(shop: World) -> None:
    html_of(get(shop, "/ui/doctor?site=%00"), 400)


@pytest.mark.parametrize(
    ("sentence", "advice"),
    [
        ("", Advice("")),
        ("remove them there", Advice("remove them there")),
        ("run there as root: timedatectl set-ntp true", Advice("run there as root:", "timedatectl set-ntp true")),
        ("make room: podman image prune, or more", Advice("make room:", "podman image prune", "or more")),
        ("az servicebus topic show --name x; too", Advice("", "az servicebus topic show --name x", "too")),
        ("edgetrain validate says line and field", Advice("edgetrain validate says line and field")),
        ("see that it is up: docs/rights.md", Advice("see that it is up: docs/rights.md")),
    ],
)
def test_the_command_in_a_sentence_is_found(sentence: str, advice: Advice) -> None:
    assert advice_in(sentence) == advice


def _finding(state: State) -> Finding:
    return Finding(
        check=f"hub.{state.value}",
        subject="site factory",
        state=state,
        found=f"found {state.value}",
        wanted="wanted",
        why="why",
        remedy="run: podman info" if state.needs_remedy else "",
    )


def test_the_page_waits_as_long_as_it_says_and_no_longer_than_the_platform() -> None:
    assert doctor.PATIENCE == WITHIN + WAITS, "an examination, and another one before it"
    assert doctor.PATIENCE < 230, "https://learn.microsoft.com/azure/azure-functions/functions-scale#timeout"


def test_the_page_says_how_long_it_takes_at_the_most(shop: World) -> None:
    assert "3 minutes at the most" in html_of(get(shop, "/ui/doctor"))
    assert "hooguit 3 minuten" in html_of(get(shop, "/ui/doctor", **{"Accept-Language": "nl"}))
