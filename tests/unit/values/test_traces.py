"""What is taken for a traceparent, and what is not: it comes from anybody."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.values.traces import (
    TraceContext,
    own_trace,
    read_trace,
    trace_from_outside,
    trace_of_event,
    trace_of_message,
)

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GOOD = f"00-{TRACE}-{SPAN}-01"
HOSTILE = [
    "",
    GOOD.upper(),
    GOOD + "\n",
    f"{GOOD}\r\nX-Injected: yes",
    f"{GOOD}-more",  # version 00 has nothing more
    f" {GOOD}",
    f"ff-{TRACE}-{SPAN}-01",
    f"00-{'0' * 32}-{SPAN}-01",
    f"00-{TRACE}-{'0' * 16}-01",
    f"00-{TRACE}-{SPAN}",
    f"00-{TRACE}-{SPAN}-1",
    f"00-{TRACE[:-1]}g-{SPAN}-01",
    "00-" + "٤" * 32 + f"-{SPAN}-01",
    f"cc-{TRACE}-{SPAN}-01-" + "x" * 10_000_000,
    "'; DROP TABLE runs; --",
    "\x1b[2J",
    None,
    7,
    GOOD.encode(),
    [GOOD],
    {"traceparent": GOOD},
]


def test_a_traceparent_is_read_and_written_again() -> None:
    assert read_trace(GOOD) == TraceContext(TRACE, SPAN)
    assert TraceContext(TRACE, SPAN).text == GOOD
    assert read_trace(f"00-{TRACE}-{SPAN}-00") == TraceContext(TRACE, SPAN, sampled=False)


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text)[:40])
def test_whatever_else_is_no_trace(text: object) -> None:
    assert read_trace(text) is None
    assert trace_from_outside(text) is None
    assert trace_of_event({"traceparent": text}) is None


def test_a_later_version_is_read_as_far_as_it_is_known() -> None:
    assert read_trace(f"01-{TRACE}-{SPAN}-03-some.thing") == TraceContext(TRACE, SPAN)


@given(st.text(max_size=80))
def test_no_text_but_two_numbers_is_ever_kept(text: str) -> None:
    found = read_trace(text)

    assert found is None or (len(found.text) == 55 and text.startswith(f"{text[:2]}-{found.trace_id}-{found.span_id}"))


def test_a_sender_that_records_nothing_switches_nothing_off() -> None:
    assert trace_from_outside(f"00-{TRACE}-{SPAN}-00") == TraceContext(TRACE, SPAN, sampled=True)


def test_a_message_says_it_in_either_of_two_properties() -> None:
    assert trace_of_message({"traceparent": GOOD}) == trace_of_message({"Diagnostic-Id": GOOD.encode()})
    assert trace_of_message({"traceparent": "no", "Diagnostic-Id": GOOD}) == TraceContext(TRACE, SPAN)
    assert trace_of_message({}) is None
    assert trace_of_message(None) is None


def test_the_same_step_of_the_same_trace_has_the_same_id() -> None:
    parent = own_trace("run-1")

    assert parent == own_trace("run-1") != own_trace("run-2")
    assert parent.child("a", 1) == parent.child("a", 1) != parent.child("a", 2)
    assert parent.child("a").trace_id == parent.trace_id
    assert read_trace(parent.child("a").text) == parent.child("a")
