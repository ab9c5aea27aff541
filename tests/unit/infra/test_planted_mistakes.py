"""One mistake at a time, each of another kind, is planted into a copy of the infrastructure: each is named."""

import pytest

from tests.unit.infra.conftest import Planted
from tests.unit.infra.mistakes import Mistake, app, files, surroundings

MISTAKES = [*files.MISTAKES, *app.MISTAKES, *surroundings.MISTAKES]


def test_as_it_is_nothing_is_found(planted: Planted) -> None:
    assert planted.found() == []


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda each: each.kind.replace(" ", "-"))
def test_a_mistake_is_named(mistake: Mistake, planted: Planted) -> None:
    planted.change(mistake.file, mistake.old, mistake.new)

    found = [(each.where, each.what) for each in planted.found()]

    assert any(where == mistake.where and mistake.what in what for where, what in found), found


def test_a_module_that_nothing_uses_is_named(planted: Planted) -> None:
    planted.write("modules/spare.bicep", "param name string\n\noutput name string = name\n")

    assert ("modules/spare.bicep", "is used by nothing; delete it, or use it in main.bicep") in [
        (each.where, each.what) for each in planted.found()
    ]
