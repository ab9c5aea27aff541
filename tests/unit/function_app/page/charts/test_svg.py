from xml.etree.ElementTree import fromstring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from function_app.page.charts.frame import ident
from function_app.page.charts.svg import (
    END_OF_ISOLATE,
    ISOLATE,
    clean,
    compact,
    element,
    fitted,
    isolated,
    markup,
    width_of,
)
from tests.support.nonsense import TEXTS


@given(st.text(), st.text())
def test_any_text_is_well_formed_and_comes_back_as_what_is_shown(inside: str, attribute: str) -> None:
    read = fromstring(str(markup(element("text", inside, id=attribute))))

    assert "".join(read.itertext()) == clean(inside)
    assert read.get("id") == clean(attribute)
    assert len(read) == 0


@given(st.text())
def test_nothing_that_is_shown_is_invisible_or_turns_the_line_around(text: str) -> None:
    shown = clean(isolated(text))

    assert all(each.isprintable() or each in {ISOLATE, END_OF_ISOLATE} for each in shown)
    assert shown.count(ISOLATE) == shown.count(END_OF_ISOLATE)


@pytest.mark.parametrize("text", TEXTS)
def test_nonsense_is_written_as_text(text: str) -> None:
    assert len(fromstring(str(markup(element("text", text))))) == 0


@pytest.mark.parametrize("text", [END_OF_ISOLATE, ISOLATE, END_OF_ISOLATE + ISOLATE, "\u202eabc", "a\x00b", "a\ud800b"])
def test_marks_of_direction_that_are_not_closed_and_controls_are_shown_escaped(text: str) -> None:
    assert clean(text).isprintable()
    assert "\\" in clean(text)


def test_a_name_from_the_right_turns_nothing_around() -> None:
    name = "מבחן 42"

    assert isolated(name) == f"{ISOLATE}{name}{END_OF_ISOLATE}"
    assert clean(f"run {isolated(name)}, 12 Nov: 0.9") == f"run {ISOLATE}{name}{END_OF_ISOLATE}, 12 Nov: 0.9"
    assert isolated("plain 42") == "plain 42"


@given(st.text(), st.floats(min_value=20, max_value=400))
def test_a_text_is_cut_to_its_room(text: str, width: float) -> None:
    shown = fitted(isolated(text), width, 14)

    assert width_of(shown, 14) <= width
    assert shown.count(ISOLATE) == shown.count(END_OF_ISOLATE)


@pytest.mark.parametrize(("number", "text"), [(1.0, "1"), (-0.01, "0"), (2.449, "2.4"), (300, "300")])
def test_coordinates_are_short(number: float, text: str) -> None:
    assert compact(number) == text


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_coordinate_that_is_none_is_refused(number: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        compact(number)


@given(st.text(max_size=40), st.text(max_size=40))
def test_other_keys_make_other_ids_and_every_id_is_a_plain_word(one: str, other: str) -> None:
    assert (ident(one) == ident(other)) == (one == other)
    assert all(each.isascii() and (each.isalnum() or each == "-") for each in ident(one))
