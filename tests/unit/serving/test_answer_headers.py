from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from shared.messages.serving import PlannedRelease
from shared.serving.answer_headers import (
    change_commands,
    entries,
    header_rules,
    headers_text,
    parse_headers,
    show_headers_command,
)
from shared.serving.slots import Colour
from tests.support.slots import a_slot

RELEASE = PlannedRelease(run_id="p-1", image="i", weight=100, model="pumps", version="3")
KEYS = st.from_regex(r"(blue|green)\.(run|model|version)", fullmatch=True)
MAPS = st.dictionaries(KEYS, st.from_regex(r"[A-Za-z0-9._~%-]{1,9}", fullmatch=True))


def test_a_colour_says_run_model_and_version() -> None:
    assert entries(RELEASE, Colour.BLUE) == {"blue.run": "p-1", "blue.model": "pumps", "blue.version": "3"}
    assert entries(replace(RELEASE, model="", version=""), Colour.BLUE) == {"blue.run": "p-1"}
    assert entries(None, Colour.BLUE) == {}
    slot = replace(a_slot(), places={Colour.GREEN: RELEASE})
    assert headers_text(slot) == "green.model pumps\ngreen.run p-1\ngreen.version 3\n"


@given(st.text(max_size=20))
def test_no_name_breaks_out_of_a_command_or_a_header(name: str) -> None:
    for value in entries(replace(RELEASE, model=name), Colour.BLUE).values():
        assert value.isascii()
        assert not set(value) & set(" ;\\\"'\r\n")


def test_rules_take_out_what_the_model_says_itself() -> None:
    rules = header_rules("/home/my edge/p.map").splitlines()
    assert len(rules) == 6
    for taken, said in zip(rules[::2], rules[1::2], strict=True):
        assert taken.split()[-1] in said
        assert taken.strip().startswith("http-response del-header x-edgetrain-")


@given(MAPS, MAPS)
def test_commands_make_one_map_of_another(there: dict[str, str], wanted: dict[str, str]) -> None:
    changed = dict(there)
    for command in change_commands("/p.map", there, wanted):
        action, _, _, key, *value = command.split()
        assert (action == "add") == (key not in changed)
        if action == "del":
            del changed[key]
        else:
            changed[key] = value[0]
    assert changed == wanted


@given(MAPS)
def test_a_map_as_haproxy_shows_it(pairs: dict[str, str]) -> None:
    answer = "".join(f"0x55d0aa{number:04x} {key} {value}\n" for number, (key, value) in enumerate(pairs.items()))
    assert parse_headers(answer + "\n") == pairs


def test_a_map_that_is_not_loaded() -> None:
    assert parse_headers("Unknown map identifier. Please use #<id> or <file>.\n") is None
    assert show_headers_command("/home/my edge/p.map") == "show map /home/my\\ edge/p.map"
