"""Requests that a deployed model must refuse; no model is needed for that."""

import base64
import io
from typing import Any

import pytest
from PIL import Image

from tests.support.training_folders import folder_modules, sample_of

breast_cancer, breast_cancer_scoring = folder_modules("breast_cancer", "score", "scoring")
ROW = [0.5] * 30
digits, digits_scoring = folder_modules("digits", "score", "scoring")
DIGIT = [[0] * 8] * 8
diabetes, diabetes_scoring = folder_modules("diabetes", "score", "scoring")
PATIENT = sample_of("diabetes")["patients"][0]
scans, scans_scoring = folder_modules("scans", "score", "scoring")
IMAGE = sample_of("scans")["images"][0]


def picture(kind: str, size: tuple[int, int]) -> str:
    into = io.BytesIO()
    Image.new("L", size).save(into, format=kind)
    return base64.b64encode(into.getvalue()).decode()


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ([], '{"rows": [[...], ...]}'),
        ({"rows": []}, "at least one row"),
        ({"rows": [ROW, ROW[:-1]]}, "row 1 must be a list of 30 numbers"),
        ({"rows": [["1", *ROW[1:]]]}, "row 0, column 0 must be a finite number"),
        ({"rows": [[*ROW[1:], True]]}, "row 0, column 29 must be a finite number"),
        ({"rows": [[]] * 10_001}, "at most 10000 rows in one request"),
    ],
)
def test_measurements(request_: Any, says: str) -> None:
    with pytest.raises(breast_cancer_scoring.BadRequestError) as refused:
        breast_cancer.answer(None, request_)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("images", "says"),
    [
        ([], "at least one image"),
        ([DIGIT, DIGIT[:-1]], "image 1 must be 8 lists of 8 pixels"),
        ([[*DIGIT[:-1], [0] * 7]], "image 0, row 7 must be a list of 8 numbers"),
        ([[*DIGIT[:-1], [0] * 7 + [17]]], "image 0, row 7, column 7 must be a number from 0 to 16"),
        ([[*DIGIT[:-1], [0] * 7 + [None]]], "image 0, row 7, column 7 must be a number from 0 to 16"),
    ],
)
def test_digits(images: list[Any], says: str) -> None:
    with pytest.raises(digits_scoring.BadRequestError) as refused:
        digits.answer(None, {"images": images})
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ({}, '{"patients": [{...}]}'),
        ({"patients": []}, "at least one patient"),
        ({"patients": [{}]}, "patient 0, age must be a number from 0 to 120"),
        ({"patients": [PATIENT | {"bmi": None}]}, "patient 0, bmi"),
        ({"patients": [PATIENT, PATIENT | {"sex": "F"}]}, "patient 1, sex must be one of female, male"),
        ({"patients": [PATIENT | {"name": "X"}]}, "1 unknown fields"),
    ],
)
def test_patients(request_: Any, says: str) -> None:
    with pytest.raises(diabetes_scoring.BadRequestError) as refused:
        diabetes.answer(None, request_)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("images", "says"),
    [
        ([], "at least one image"),
        ([IMAGE, 5], "image 1 must be a text"),
        ([IMAGE, "?"], "image 1 is not base64"),
        ([IMAGE, "é"], "image 1 is not base64"),
        ([IMAGE, ""], "image 1 is not a PNG picture"),
        ([IMAGE, IMAGE[:40]], "image 1 is not a PNG picture"),
        ([IMAGE[:-24] + "A" * 24], "image 0 is not a PNG picture"),
        ([picture("GIF", (32, 32))], "image 0 is not a PNG picture"),
        ([picture("PNG", (3000, 3000))], "image 0 has more than 4,000,000 pixels"),
        ([picture("PNG", (30_000, 10_000))], "image 0 "),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else None,
)
def test_images(images: list[Any], says: str) -> None:
    with pytest.raises(scans_scoring.BadRequestError) as refused:
        scans.answer(None, {"images": images})
    assert says in str(refused.value)
