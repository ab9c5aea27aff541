from typing import Any

import pytest

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
