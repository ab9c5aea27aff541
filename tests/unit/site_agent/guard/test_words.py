"""Texts of few rows are found in longer texts, spread over many, in reverse, in names that would be shown."""

import pytest

from site_agent.job.guard.samples import Samples
from site_agent.job.guard.words import TextsOfTheData

NAME = "Wilhelmine Aschenbrenner"


@pytest.fixture
def texts() -> TextsOfTheData:
    samples = Samples(rows=100, names=["patient", "city"])
    samples.values.update({NAME: 1, "Ulm": 3, "Rothenburg": 2, "Kiel": 1, "Hamburg-Altona": 60})
    return TextsOfTheData(samples, 20)


@pytest.mark.parametrize(
    "strings",
    [
        [NAME],
        [NAME.upper()],
        [f"patient_{NAME}_mean"],
        [NAME[::-1]],
        list(NAME),
        [NAME[:5], NAME[5:]],
        ["city_Rothenburg"],
        ["Kiel"],
        ["a" * 1000, "xRothenburgx", "b"],
    ],
)
def test_a_value_of_few_rows_is_found(texts: TextsOfTheData, strings: list[str]) -> None:
    assert len(texts.findings(strings)) == 1
    assert NAME not in texts.findings(strings)[0]


@pytest.mark.parametrize("strings", [["Ulm"], ["Hamburg-Altona"], ["kielful"], ["Rothen", "x", "burg"], [""], []])
def test_short_and_common_values_are_none(texts: TextsOfTheData, strings: list[str]) -> None:
    assert texts.findings(strings) == []


def test_names_are_shown_without_them(texts: TextsOfTheData) -> None:
    assert texts.without("model.npz coef_") == "model.npz coef_"
    assert texts.without("model.npz Rothenburg.weights") == "model.npz *.weights"
    assert texts.without("Kiel.bin") == "*.bin"
    assert not texts.tells("coef_")
    assert texts.tells("xrothenburgx.bin")


def test_without_texts_nothing_is_found() -> None:
    texts = TextsOfTheData(Samples(rows=100), 20)

    assert texts.findings([NAME]) == []
    assert texts.without(NAME) == NAME
