"""What one answer says of a right, and what several looks at one container mean together."""

from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from shared.clients.hub_examination import Answer, Holdout, Right, Told, _Clocks, _Examination, _of

UNCLEAR = Told(answer=Answer.OTHER, said="it was not asked in time")
MAY = Told(answer=Answer.MAY)


@pytest.mark.parametrize("unclear", ["first", "second"])
def test_a_hold_out_that_was_not_looked_for_is_not_missing(unclear: str) -> None:
    site: Any = SimpleNamespace(api_version="2019-07-07")
    access: Any = SimpleNamespace(setting=lambda _: "X")
    examination = _Examination("factory", site, access, _Clocks(), 20.0)
    seen = {unclear: (UNCLEAR, Holdout.EMPTY)}
    examination._list = lambda place: seen.get(place[1], (MAY, Holdout.THERE))  # type: ignore[method-assign]

    facts = examination.of([("data", "first"), ("data", "second")], all_rights=False)

    assert facts.rights["data"][Right.LIST] == UNCLEAR


@pytest.mark.parametrize(
    ("status", "code", "answer"),
    [
        (404, "BlobNotFound", None),
        (412, "ConditionNotMet", None),
        (403, "AuthorizationPermissionMismatch", Answer.MAY_NOT),
        (404, "ContainerNotFound", Answer.MISSING),
        (404, "ResourceNotFound", Answer.OTHER),
        (404, "", Answer.OTHER),
        (412, "", Answer.OTHER),
        (409, "BlobImmutableDueToPolicy", Answer.OTHER),
    ],
)
def test_only_what_comes_after_the_rights_says_that_there_is_one(status: int, code: str, answer: Answer | None) -> None:
    error: Any = HttpResponseError(message="no")
    error.status_code, error.error_code = status, code

    told = _of(error)

    assert (told.answer if told else None) is answer
