import contextlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.messages.serving import PlannedRelease
from shared.serving.haproxy import (
    BODY_LIMIT,
    BUFFER_BYTES,
    ServerState,
    admit_command,
    config_path,
    parse_servers,
    render_config,
    shares,
    show_command,
    take_out_command,
    weight_command,
)
from shared.serving.slots import Colour, Deployment
from tests.support.slots import a_slot, switched_to

# As HAProxy 2.6 answers, with most columns left out.
HEADER = "# pxname,svname,qcur,qmax,scur,smax,slim,stot,status,weight,"
MAP = "/home/edge/serving/headers/p.map"
NOW = datetime(2026, 11, 24, tzinfo=UTC)


def answer(blue: str, green: str) -> str:
    return f"{HEADER}\nedgetrain-p,blue,0,0,3,4,,3,{blue},1,\nedgetrain-p,green,0,0,,0,,0,{green},1,\n\n"


def disabled(config: str) -> set[str]:
    servers = [line.split() for line in config.splitlines() if line.strip().startswith("server ")]
    assert [words[1] for words in servers] == ["blue", "green"]
    return {words[1] for words in servers if words[-1] == "disabled"}


def test_before_the_first_release_nothing_takes_traffic() -> None:
    config = render_config(a_slot(), headers_file=MAP)
    assert disabled(config) == {"blue", "green"}
    assert "bind 127.0.0.1:20000" in config
    assert "server blue 127.0.0.1:20001 maxconn 4 check" in config
    assert "option httpchk GET /" in config
    assert config_path("p") == "serving/conf.d/p.cfg"


def test_what_one_client_may_hold_is_bounded() -> None:
    rules = [line.strip() for line in render_config(a_slot(), headers_file=MAP).splitlines()]
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
        slot = switched_to(slot, Deployment(run_id=str(number), image="i"), at=NOW)
    assert slot.active is not None
    assert disabled(render_config(slot, headers_file=MAP)) == {slot.active.other.value}


def test_an_address_of_version_six_is_bracketed() -> None:
    assert "bind [fd00::7]:20000" in render_config(replace(a_slot(), bind="fd00::7"), headers_file=MAP)


def test_frontend_and_backend_differ_in_name() -> None:
    # `show stat NAME` takes the first proxy of that name, and only backends have servers.
    config = render_config(a_slot(), headers_file=MAP)
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


# A line of HAProxy 2.6 as it is, of a server that answered six requests, and failed one at each of its three tries.
REAL = """# pxname,svname,\
qcur,qmax,scur,smax,slim,stot,bin,bout,dreq,dresp,ereq,econ,eresp,wretr,wredis,status,weight,act,\
bck,chkfail,chkdown,lastchg,downtime,qlimit,pid,iid,sid,throttle,lbtot,tracked,type,rate,rate_lim,rate_max,\
check_status,check_code,check_duration,hrsp_1xx,hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_5xx,hrsp_other,hanafail,req_rate,\
req_rate_max,req_tot,cli_abrt,srv_abrt,comp_in,comp_out,comp_byp,comp_rsp,lastsess,last_chk,last_agt,qtime,ctime,rtime,
edgetrain-p,blue,0,0,0,1,,9,82,680,,0,,0,0,4,0,UP,55,1,0,,,5,,,1,3,1,,1,,2,0,,1,,,,0,5,0,1,1,0,,,,9,0,0,,,,,3,,,0,0,12,
edgetrain-p,green,0,0,0,1,,0,0,0,,0,,0,0,0,0,MAINT,1,1,0,,,5,,,1,3,2,,1,,2,0,,1,,,,0,0,0,0,0,0,,,,0,0,0,,,,,3,,,0,0,0,
"""


def test_counters() -> None:
    states = parse_servers(REAL)
    assert states[Colour.BLUE] == ServerState("UP", 0, weight=55, requests=9, errors=3, latency_ms=12.0)
    assert states[Colour.GREEN].latency_ms is None


NUMBERS = st.integers(0, 10**12)


COLUMNS = st.lists(
    st.sampled_from(["stot", "hrsp_2xx", "hrsp_4xx", "hrsp_5xx", "eresp", "wretr", "rtime", "later"]), unique=True
)


@given(COLUMNS, st.data())
def test_counters_of_any_columns(columns: list[str], data: st.DataObject) -> None:
    """Columns come in any order, and other versions have more or fewer; empty cells count nothing."""
    cells = st.lists(st.one_of(st.none(), NUMBERS), min_size=len(columns), max_size=len(columns))
    rows = {colour: data.draw(cells) for colour in Colour}
    lines = [
        ",".join(["edgetrain-p", colour, "0", "UP", "1", *("" if cell is None else str(cell) for cell in row)])
        for colour, row in rows.items()
    ]
    states = parse_servers("\n".join([",".join(["# pxname,svname,scur,status,weight", *columns]), *lines]))
    for colour, row in rows.items():
        counted = {column: number or 0 for column, number in zip(columns, row, strict=True)}
        fine = sum(counted.get(column, 0) for column in ("hrsp_2xx", "hrsp_4xx"))
        failed = sum(counted.get(column, 0) for column in ("hrsp_5xx", "eresp"))
        state = states[colour]
        assert state.requests == max(counted.get("stot", 0), fine + failed)
        assert state.requests - state.errors == fine


@given(st.integers(0, 256), st.integers(0, 256), st.booleans(), st.booleans())
def test_shares_are_of_those_that_are_up(blue: int, green: int, blue_up: bool, green_up: bool) -> None:
    found = shares(
        {
            Colour.BLUE: ServerState("UP" if blue_up else "DOWN", 0, weight=blue),
            Colour.GREEN: ServerState("UP" if green_up else "MAINT", 0, weight=green),
        }
    )
    able = (blue if blue_up else 0) + (green if green_up else 0)
    assert sum(found.values()) == (100 if able else 0)
    assert able == 0 or abs(found[Colour.BLUE] - 100 * (blue if blue_up else 0) / able) <= 1
    if blue_up and green_up and blue + green == 100:
        assert found == {Colour.BLUE: blue, Colour.GREEN: green}


def test_weights_are_in_the_file_too() -> None:
    release = PlannedRelease(run_id="r", image="i", weight=90)
    places = {Colour.BLUE: release, Colour.GREEN: replace(release, run_id="s", weight=10)}
    config = render_config(replace(a_slot(), places=places), headers_file=MAP)
    assert "rise 1 weight 90\n" in config
    assert "rise 1 weight 10\n" in config
    assert disabled(config) == set()


def test_commands() -> None:
    steps = admit_command("p", Colour.GREEN).split("; ")
    assert steps == [
        "set server edgetrain-p/green state drain",
        "set server edgetrain-p/green health down",
        "set server edgetrain-p/green state ready",
    ]
    assert weight_command("p", Colour.BLUE, 25) == "set weight edgetrain-p/blue 25"
    assert take_out_command("p", Colour.BLUE) == "set server edgetrain-p/blue state maint"
