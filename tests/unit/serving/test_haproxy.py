import contextlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.serving.haproxy import (
    BODY_LIMIT,
    BUFFER_BYTES,
    ServerState,
    admit_command,
    config_path,
    parse_servers,
    render_config,
    show_command,
    take_out_command,
)
from shared.serving.slots import Colour, Deployment
from tests.support.fake_vm import a_slot

# As HAProxy 2.6 answers, with most columns left out.
HEADER = "# pxname,svname,qcur,qmax,scur,smax,slim,stot,status,weight,"
NOW = datetime(2026, 11, 24, tzinfo=UTC)


def answer(blue: str, green: str) -> str:
    return f"{HEADER}\nedgetrain-p,blue,0,0,3,4,,9,{blue},1,\nedgetrain-p,green,0,0,,0,,0,{green},1,\n\n"


def disabled(config: str) -> set[str]:
    servers = [line.split() for line in config.splitlines() if line.strip().startswith("server ")]
    assert [words[1] for words in servers] == ["blue", "green"]
    return {words[1] for words in servers if words[-1] == "disabled"}


def test_before_the_first_release_nothing_takes_traffic() -> None:
    config = render_config(a_slot())
    assert disabled(config) == {"blue", "green"}
    assert "bind 127.0.0.1:20000" in config
    assert "server blue 127.0.0.1:20001 maxconn 4 check" in config
    assert "option httpchk GET /" in config
    assert config_path("p") == "serving/conf.d/p.cfg"


def test_what_one_client_may_hold_is_bounded() -> None:
    rules = [line.strip() for line in render_config(a_slot()).splitlines()]
    limits = [
        rules.index(next(rule for rule in rules if rule.startswith(start)))
        for start in (
            "tcp-request connection reject if { sc0_conn_cur gt 128 }",
            "http-request deny deny_status 413 content-type application/json",
            "http-request wait-for-body time 20s",
        )
    ]
    assert limits == sorted(limits)  # what can be refused without its body is refused before it is waited for
    assert "timeout http-request 10s" in rules
    assert BUFFER_BYTES >= BODY_LIMIT + 32 * 1024


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_exactly_the_live_colour_takes_traffic(numbers: list[int]) -> None:
    slot = a_slot()
    for number in numbers:
        slot = slot.switched(Deployment(run_id=str(number), image="i"), slot.idle, at=NOW)
    assert slot.active is not None
    assert disabled(render_config(slot)) == {slot.active.other.value}


def test_an_address_of_version_six_is_bracketed() -> None:
    assert "bind [fd00::7]:20000" in render_config(replace(a_slot(), bind="fd00::7"))


def test_frontend_and_backend_differ_in_name() -> None:
    # `show stat NAME` takes the first proxy of that name, and only backends have servers.
    config = render_config(a_slot())
    assert "frontend edgetrain-p.frontend\n" in config
    assert "backend edgetrain-p\n" in config
    assert show_command("p") == "show stat edgetrain-p 4 -1"


@pytest.mark.parametrize(
    ("status", "up", "out"),
    [
        ("UP", True, False),
        ("UP 1/2", True, False),
        ("DOWN", False, False),
        ("DOWN 1/2", False, False),
        ("DRAIN", False, False),
        ("MAINT", False, True),
        ("MAINT (via x)", False, True),
        ("NOLB", False, False),
    ],
)
def test_states(status: str, up: bool, out: bool) -> None:
    states = parse_servers(answer(status, "MAINT"))
    assert states == {Colour.BLUE: ServerState(status, 3), Colour.GREEN: ServerState("MAINT", 0)}
    assert (states[Colour.BLUE].up, states[Colour.BLUE].out) == (up, out)


@pytest.mark.parametrize("text", ["", "Permission denied", HEADER, HEADER + "\nedgetrain-p,blue,0,0,1,1,,1,UP,1,\n"])
def test_what_is_no_such_table_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="HAProxy"):
        parse_servers(text)


@given(st.text(max_size=300))
def test_any_text_is_a_table_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert set(parse_servers(text)) == set(Colour)


def test_commands() -> None:
    steps = admit_command("p", Colour.GREEN).split("; ")
    assert steps == [
        "set server edgetrain-p/green state drain",
        "set server edgetrain-p/green health down",
        "set server edgetrain-p/green state ready",
    ]
    assert take_out_command("p", Colour.BLUE) == "set server edgetrain-p/blue state maint"
