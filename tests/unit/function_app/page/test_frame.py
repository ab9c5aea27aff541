"""What every screen has around it, and what stands where there is no screen."""

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from function_app.page.rendering import VERSION
from tests.simulation.world import World
from tests.support.page_world import get, html_of, page_world

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with page_world(tmp_path_factory.mktemp("shop"), {"breast-cancer": {}}) as world:
        yield world


def test_the_version_at_the_foot_is_that_of_the_project(shop: World) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert project["version"] == VERSION
    assert f"edgetrain {VERSION}" in html_of(get(shop, "/ui"))


@pytest.mark.parametrize("address", ["/ui/nothing", "/ui/models/a/b/c/d", "/ui/index.html"])
def test_where_there_is_no_screen_a_page_says_so(shop: World, address: str) -> None:
    said = html_of(get(shop, address), 404)

    assert "There is no such screen" in said
    assert 'href="/ui/targets"' in said
