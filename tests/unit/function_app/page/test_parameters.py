"""Numbers as people type them: by the reader's language, and never by a guess."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from function_app.page.parameters import effective, given_parameters, number_text
from function_app.page.texts import LANGUAGES
from function_app.problems import BadFieldError
from shared.messages import Scalar

DECLARED: dict[str, Scalar] = {"rate": 0.5, "rounds": 20, "deep": False, "name": "a"}


def typed(text: str, language: str, name: str = "rate") -> object:
    return given_parameters(DECLARED, {f"p.{name}": text}, language)[name]


@pytest.mark.parametrize(
    ("text", "language", "value"),
    [
        ("0.25", "en", 0.25),
        ("0,25", "nl", 0.25),
        ("0,25", "en", 0.25),  # no group of thousands begins with a nought
        ("0.25", "nl", 0.25),
        ("1.125", "en", 1.125),
        ("1,125", "nl", 1.125),
        ("1,000,000", "en", 1e6),
        ("1.000.000", "nl", 1e6),
        ("1,000.5", "en", 1000.5),
        ("1.000,5", "nl", 1000.5),
        ("1,000.5", "nl", 1000.5),
        ("1e-3", "nl", 0.001),
        (".5", "en", 0.5),
        ("-2", "nl", -2.0),
        ("1234,567", "en", 1234.567),
    ],
)
def test_a_number_is_read_by_the_readers_language(text: str, language: str, value: float) -> None:
    assert typed(text, language) == value


@pytest.mark.parametrize(("text", "language"), [("1,000", "en"), ("1.000", "nl"), ("12.345", "nl"), ("-999,999", "en")])
def test_what_can_be_read_in_two_ways_is_refused_at_its_field(text: str, language: str) -> None:
    with pytest.raises(BadFieldError, match="two ways") as caught:
        typed(text, language)
    assert caught.value.field == "p.rate"


@pytest.mark.parametrize(
    "text", ["many", "1,2,3", "1.2.3", "nan", "inf", "1e999", "1_000", ".", ",", "0x1", "1 000", "٣"]
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_no_number_is_refused(text: str, language: str) -> None:
    with pytest.raises(BadFieldError):
        typed(text, language)


@pytest.mark.parametrize("text", ["1,000", "1.000", "20.0", "1_000", "٣", "9" * 5000])
def test_a_whole_number_is_digits_alone(text: str) -> None:
    with pytest.raises(BadFieldError, match="whole number"):
        typed(text, "en", "rounds")
    assert typed("2000", "nl", "rounds") == 2000


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(LANGUAGES))
def test_a_number_may_be_typed_again_as_it_is_shown(value: float, language: str) -> None:
    assert math.isclose(typed(number_text(value, language), language), value, rel_tol=0, abs_tol=0)  # type: ignore[arg-type]


def test_what_a_training_would_have_says_what_is_not_as_in_the_file() -> None:
    found = effective(DECLARED, {"rate": 0.25, "rounds": 20})

    assert [(each.name, each.value, each.own) for each in found] == [
        ("rate", 0.25, True),
        ("rounds", 20, False),
        ("deep", False, False),
        ("name", "a", False),
    ]
