"""What several looks at one container mean together."""

from types import SimpleNamespace
from typing import Any

import pytest

from shared.clients.hub_examination import Answer, Right, Told, _Clocks, _Examination

UNCLEAR = Told(answer=Answer.OTHER, said="it was not asked in time")
MAY = Told(answer=Answer.MAY)


@pytest.mark.parametrize("unclear", ["first", "second"])
def test_a_hold_out_that_was_not_looked_for_is_not_missing(unclear: str) -> None:
    site: Any = SimpleNamespace(api_version="2019-07-07")
    access: Any = SimpleNamespace(setting=lambda _: "X")
    examination = _Examination("factory", site, access, _Clocks(), 20.0)
    examination._list = lambda place: (UNCLEAR, False) if place[1] == unclear else (MAY, True)  # type: ignore[method-assign]

    facts = examination.of([("data", "first"), ("data", "second")], all_rights=False)

    assert facts.rights["data"][Right.LIST] == UNCLEAR
