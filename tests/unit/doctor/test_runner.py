"""The runner of checks: one finding for each, whatever they do, and never later than it says."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.doctor import (
    Check,
    Finding,
    Hidden,
    Kind,
    Look,
    Seen,
    State,
    Subject,
    looks,
    ok,
    run,
    runner,
    skipped,
    unknown,
    wrong,
)
from shared.errors import Code, PermanentError, TransientError

SECRET = "zQ9-the-secret-of-the-hub-zQ9"


def a_look(see: Callable[[], Any], *, name: str = "thing.matter", seconds: float = 30.0) -> Look:
    check: Check[None] = Check(
        name=name,
        about=Kind.APP,
        wanted="peace",
        why="or war",
        remedy="make peace",
        look=lambda *_: ok(""),
        seconds=seconds,
    )
    return Look(check, Subject(Kind.APP), see)


def found(see: Callable[[], Any], **options: Any) -> Finding:
    [finding] = run([a_look(see)], **options)
    return finding


def raising(error: BaseException) -> Callable[[], Seen]:
    def see() -> Seen:
        raise error

    return see


@pytest.mark.parametrize(
    ("see", "state", "said", "remedy"),
    [
        (lambda: ok("peace"), State.OK, "peace", ""),
        (lambda: skipped("nothing there"), State.SKIPPED, "nothing there", ""),
        (lambda: wrong("war"), State.WRONG, "war", "make peace"),
        (lambda: wrong("war", remedy="talk"), State.WRONG, "war", "talk"),
        (lambda: unknown("fog"), State.UNKNOWN, "fog", "make peace"),
        (raising(PermanentError("no such key", code=Code.BAD_CONFIGURATION)), State.WRONG, "no such key", "make peace"),
        (raising(TransientError("busy")), State.UNKNOWN, "busy", "make peace"),
        (
            raising(ValueError(SECRET)),
            State.UNKNOWN,
            "the check itself failed: ValueError; please report it",
            "make peace",
        ),
        (raising(SystemExit(1)), State.UNKNOWN, "the check itself failed: SystemExit; please report it", "make peace"),
        (lambda: None, State.UNKNOWN, "the check itself failed: it gave NoneType; please report it", "make peace"),
    ],
)
def test_what_a_check_sees_or_raises_is_its_finding(
    see: Callable[[], Any], state: State, said: str, remedy: str
) -> None:
    finding = found(see)

    assert (finding.state, finding.found, finding.remedy) == (state, said, remedy)
    assert (finding.check, finding.subject, finding.why) == ("thing.matter", "app", "or war")


def test_a_check_that_hangs_is_unknown_and_the_others_go_on() -> None:
    release = threading.Event()
    hanging = a_look(lambda: ok(str(release.wait())), name="hangs", seconds=0.05)

    findings = run([hanging, a_look(lambda: ok("here"))], at_a_time=1)
    release.set()

    assert [each.state for each in findings] == [State.UNKNOWN, State.OK]
    assert "no answer within 0.05 s" in findings[0].found


def test_what_is_not_reached_in_time_is_unknown() -> None:
    release = threading.Event()
    asked = [a_look(lambda: ok(str(release.wait()))), a_look(lambda: ok("here"))]

    findings = run(asked, at_a_time=1, within=0.05)
    release.set()

    assert [each.state for each in findings] == [State.UNKNOWN, State.UNKNOWN]
    assert "not reached" in findings[1].found


def test_threads_that_hang_are_not_piled_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "MOST_LEFT", 1)
    release = threading.Event()
    run([a_look(lambda: ok(str(release.wait())), seconds=0.01)])

    finding = found(lambda: ok("here"))
    release.set()

    assert (finding.state, finding.found) == (State.UNKNOWN, "1 earlier check of this process still hang")


def test_no_secret_and_no_control_character_is_shown() -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END KEY-----\n"
    said = f"no\x1b[2J {SECRET}; AccountKey=abcdefgh==; https://hub/c?sv=1&sig=abc MIIEvQIBADANBgkqhkiG9w0BAQEFAASC"

    finding = found(lambda: wrong(said, wanted=SECRET, remedy=SECRET), hidden=Hidden([SECRET, key]))

    assert finding.found == "no\\x1b[2J [hidden]; AccountKey=[hidden]; https://hub/c?... [hidden]"
    assert (finding.wanted, finding.remedy) == ("[hidden]", "[hidden]")


def test_a_check_is_made_for_each_subject_that_it_is_about() -> None:
    check: Check[str] = Check(
        name="a.b", about=Kind.SITE, wanted="", why="", remedy="", look=lambda place, name: ok(f"{place} {name}")
    )

    findings = run(looks([check], "here", {Kind.SITE: ["north", "south"], Kind.APP: [""]}))

    assert [(each.subject, each.found) for each in findings] == [
        ("site north", "here north"),
        ("site south", "here south"),
    ]


BEHAVIOURS = st.lists(st.sampled_from(["ok", "wrong", "raise", "permanent", "hang", "garbage"]), max_size=12)


@given(behaviours=BEHAVIOURS, at_a_time=st.integers(1, 5))
def test_there_is_one_finding_for_each_check_in_order(behaviours: list[str], at_a_time: int) -> None:
    release = threading.Event()
    does: dict[str, Callable[[], Any]] = {
        "ok": lambda: ok(""),
        "wrong": lambda: wrong(""),
        "raise": raising(RuntimeError()),
        "permanent": raising(PermanentError("no", code=Code.NO_DATA)),
        "hang": lambda: ok(str(release.wait())),
        "garbage": lambda: "garbage",
    }
    becomes = {"ok": State.OK, "wrong": State.WRONG, "permanent": State.WRONG}
    asked = [
        a_look(does[each], name=str(number), seconds=0.002 if each == "hang" else 30.0)
        for number, each in enumerate(behaviours)
    ]

    findings = run(asked, at_a_time=at_a_time)
    release.set()

    assert [each.check for each in findings] == [str(number) for number in range(len(behaviours))]
    assert [each.state for each in findings] == [becomes.get(each, State.UNKNOWN) for each in behaviours]
