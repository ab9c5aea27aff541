import json
import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.job_modules import common_modules

with common_modules("scoring") as (scoring,):
    Number, Choice, BadRequestError = scoring.Number, scoring.Choice, scoring.BadRequestError

FIELDS = {"age": Number(0, 120), "weight": Number(nullable=True), "sex": Choice(("f", "m"))}
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*FIELDS, "x"]), inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture
def respond(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    # Stands for the server's response class, which exists only in the image.
    response = SimpleNamespace(AMLResponse=lambda content, status, json_str: (content, status, json_str))
    monkeypatch.setitem(__import__("sys").modules, "azureml_inference_server_http.api.aml_response", response)
    return scoring.respond  # type: ignore[no-any-return]


def rows_of(request: Any) -> dict[str, Any]:
    return {"predictions": scoring.matrix(scoring.entries(request, "rows"), width=2).sum(axis=1).tolist()}


def test_what_answer_gives_is_the_answer(respond: Callable[..., Any]) -> None:
    assert respond('{"rows": [[1, 2], [3, 4.5]]}', rows_of) == {"predictions": [3.0, 7.5]}


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        "[" * 100_000,
        "1" * 5_000,
        '{"rows": []}',
        '{"rows": [[1]]}',
        '{"rows": [[1, "2"]]}',
        '{"rows": [[1, true]]}',
        '{"rows": [[1, null]]}',
        '{"rows": [[1, NaN]]}',
        '{"rows": [[1, -Infinity]]}',
        '{"rows": [[1, 1' + "0" * 400 + "]]}",
        json.dumps({"rows": [[1, 2]] * 10_001}),
    ],
    ids=lambda body: body[:24],
)
def test_a_bad_request_is_answered_400_with_a_reason(respond: Callable[..., Any], body: str) -> None:
    answer, status, as_json = respond(body, rows_of)

    assert (status, as_json, answer.keys()) == (400, True, {"error"})
    assert answer["error"]


def test_what_fails_in_the_model_is_not_the_clients_fault(respond: Callable[..., Any]) -> None:
    def broken(_: Any) -> dict[str, Any]:
        raise ValueError("of the model")

    with pytest.raises(ValueError, match="of the model"):
        respond("{}", broken)


@pytest.mark.parametrize(
    ("row", "where"),
    [
        ({"age": 121, "sex": "f"}, "patient 1, age must be a number from 0 to 120"),
        ({"age": None, "sex": "f"}, "patient 1, age must be"),
        ({"sex": "f"}, "patient 1, age must be"),
        ({"age": 1, "sex": "x"}, "patient 1, sex must be one of f, m"),
        ({"age": 1, "sex": ["f"]}, "patient 1, sex must be one of f, m"),
        ({"age": 1, "sex": "f", "weight": math.inf}, "patient 1, weight must be a finite number"),
        ({"age": 1, "sex": "f", "height": 3}, "patient 1 has 1 unknown fields"),
        ([1, "f"], "patient 1 must be an object"),
    ],
)
def test_a_record_that_is_not_as_declared_is_refused_by_row_and_field(row: Any, where: str) -> None:
    good = {"age": 1, "sex": "f"}

    with pytest.raises(BadRequestError) as refused:
        scoring.records([good, row], FIELDS, one="patient")
    assert str(refused.value).startswith(where)


def test_what_may_be_missing_is_none() -> None:
    rows = [{"age": 1, "sex": "f"}, {"age": 2, "sex": "m", "weight": None}, {"age": 3, "sex": "m", "weight": 70.5}]

    assert scoring.records(rows, FIELDS) == {"age": [1, 2, 3], "weight": [None, None, 70.5], "sex": ["f", "m", "m"]}


@given(anything)
def test_whatever_comes_is_a_matrix_or_a_bad_request(value: Any) -> None:
    for request in (value, {"rows": value}):
        try:
            found = scoring.matrix(scoring.entries(request, "rows"), width=2)
        except BadRequestError:
            continue
        assert found.shape[1] == 2
        assert np.isfinite(found).all()


@given(st.lists(anything, max_size=3))
def test_whatever_comes_is_a_table_or_a_bad_request(rows: list[Any]) -> None:
    try:
        found = scoring.records(rows, FIELDS)
    except BadRequestError:
        return
    assert found.keys() == FIELDS.keys()
    assert {len(column) for column in found.values()} == {len(rows)}
