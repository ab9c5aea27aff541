import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_stack.azure_ml.answers import ServiceError
from local_stack.azure_ml.filters import predicate

RUN: dict[str, Any] = {
    "runId": "r-1",
    "runType": "azureml.scriptrun",
    "status": "Completed",
    "tags": {"job": "a1", "edgetrain.kind": "two words"},
    "properties": {"azureml.runsource": "experiment"},
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, True),
        ("", True),
        ('(Tags/job eq "a1")', True),
        ('(Tags/job eq "a2")', False),
        ('(Tags/job ne "a2")', True),
        ('(Tags/edgetrain.kind eq "two words")', True),
        ("(Tags/job ne null or Tags/job eq null)", True),
        ("(Tags/other ne null)", False),
        ("(RunType eq azureml.scriptrun or Properties/azureml.runsource eq azureml.scriptrun)", True),
        ("(RunType eq other or Properties/azureml.runsource eq other)", False),
        ('(Tags/job eq "a1") and (ParentRunId eq null)', True),
        ('(Tags/job eq "a1") and (ParentRunId ne null)', False),
        ("Status eq Failed or Status eq Completed and RunId eq r-1", True),
        ('(Status eq Failed or Status eq Completed) and Tags/job eq "no"', False),
    ],
)
def test_the_forms_that_the_sdk_writes_are_understood(text: str | None, expected: bool) -> None:
    assert predicate(text)(RUN) is expected


@pytest.mark.parametrize(
    "text", ["Tags/job like 1", "(Tags/job eq 1", "Tags/job eq 1)", "and", "Tags/job eq 1 and", "()", "Tags/job"]
)
def test_anything_else_is_refused_instead_of_matching_all(text: str) -> None:
    with pytest.raises(ServiceError) as refusal:
        predicate(text)

    assert refusal.value.status == 400


NAMES = st.text("abcXYZ019._-", min_size=1, max_size=12)
VALUES = st.text(max_size=20).filter(lambda text: '"' not in text)


@given(NAMES, VALUES, VALUES)
def test_the_form_for_a_tag_and_its_value_finds_that_value_only(name: str, value: str, other: str) -> None:
    wanted = predicate(f'(Tags/{name} eq "{value}") and (ParentRunId eq null)')

    assert wanted(RUN | {"tags": {name: value}})
    assert wanted(RUN | {"tags": {name: other}}) is (value == other)
    assert not wanted(RUN | {"tags": {}})


@given(NAMES, VALUES)
def test_the_form_for_a_bare_tag_finds_the_runs_that_have_it(name: str, value: str) -> None:
    wanted = predicate(f"(Tags/{name} ne null or Tags/{name} eq null)")

    assert wanted(RUN | {"tags": {name: value}})
    assert not wanted(RUN | {"tags": {f"{name}x": value}})


PIECES = st.sampled_from(
    [
        "(",
        ")",
        "and",
        "or",
        "Tags/a",
        "Status/a",
        "Error/x/y",
        "RunId",
        "/",
        "eq",
        "ne",
        "null",
        '"v"',
        '"',
        "é",
        "0",
        "",
    ]
)


@given(st.lists(PIECES, max_size=30).map(" ".join) | st.text(max_size=40) | st.integers(0, 5000).map("(".__mul__))
def test_no_filter_makes_the_parser_fail_other_than_by_a_refusal(text: str) -> None:
    with contextlib.suppress(ServiceError):
        assert predicate(text)(RUN) in {True, False}
