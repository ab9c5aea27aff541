import json
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from training.breast_cancer import score as breast_cancer
from training.digits import score as digits

ROW = [0.5] * 30
IMAGE = [[0] * 8] * 8


class Uniform:
    """A model that has no opinion."""

    def __init__(self, classes: int) -> None:
        self.classes_ = np.arange(classes)

    def predict_proba(self, rows: Any) -> Any:
        return np.full((len(rows), len(self.classes_)), 1 / len(self.classes_))


@pytest.mark.parametrize(
    ("score", "body", "message"),
    [
        (breast_cancer, "{", "the body is not JSON: Expecting property name enclosed in double quotes at character 1"),
        (breast_cancer, "[]", 'the body must be {"rows": [[...], ...]} with at least one row'),
        (breast_cancer, '{"rows": []}', 'the body must be {"rows": [[...], ...]} with at least one row'),
        (breast_cancer, {"rows": [ROW, ROW[:-1]]}, "row 1 must be a list of 30 numbers"),
        (breast_cancer, {"rows": [["1", *ROW[1:]]]}, "row 0, column 0 must be a finite number"),
        (breast_cancer, {"rows": [[*ROW[1:], True]]}, "row 0, column 29 must be a finite number"),
        (breast_cancer, {"rows": [[*ROW[1:], float("nan")]]}, "row 0, column 29 must be a finite number"),
        (breast_cancer, {"rows": [[*ROW[1:], 10**400]]}, "row 0, column 29 must be a finite number"),
        (breast_cancer, {"rows": [[]] * 10_001}, "at most 10000 rows in one request"),
        (breast_cancer, "[" * 100_000, None),
        (digits, "", "the body is empty; send JSON with Content-Type: application/json"),
        (digits, '{"rows": []}', 'the body must be {"images": [...]} with at least one image'),
        (digits, {"images": [IMAGE, IMAGE[:-1]]}, "image 1 must be 8 lists of 8 pixels"),
        (digits, {"images": [[*IMAGE[:-1], [0] * 7]]}, "image 0 must be 8 lists of 8 pixels"),
        (digits, {"images": [[*IMAGE[:-1], [0] * 7 + [17]]]}, "image 0: every pixel must be a number from 0 to 16"),
        (digits, {"images": [[*IMAGE[:-1], [0] * 7 + [None]]]}, "image 0: every pixel must be a number from 0 to 16"),
    ],
)
def test_a_bad_request_is_answered_400_with_the_reason(
    score: ModuleType, body: Any, message: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Stands for the server's response class, which exists only in the image.
    response = SimpleNamespace(AMLResponse=lambda content, status, json_str: (content, status, json_str))
    monkeypatch.setitem(__import__("sys").modules, "azureml_inference_server_http.api.aml_response", response)

    answer, status, as_json = score.run(body if isinstance(body, str) else json.dumps(body))

    assert (status, as_json) == (400, True)
    assert answer["error"]
    if message is not None:
        assert answer == {"error": message}


def test_answers_are_plain_json() -> None:
    assert json.loads(json.dumps(breast_cancer.answer(Uniform(2), {"rows": [ROW]}))) == {
        "predictions": [0],
        "probabilities": [[0.5, 0.5]],
    }
    assert json.loads(json.dumps(digits.answer(Uniform(10), {"images": [IMAGE]}))) == {
        "predictions": [0],
        "confidence": [0.1],
    }


def test_the_sample_of_each_pipeline_is_a_request_it_answers() -> None:
    assert breast_cancer.answer(Uniform(2), breast_cancer.sample(ROW))["predictions"] == [0]
    assert digits.sample(list(range(64)))["images"][0][1] == list(range(8, 16))
