"""Sentences of the app in the reader's language: none is missing, and each is read as what it is."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from function_app.composition import Services
from function_app.doctor.catalogue import every_check
from function_app.page.rendering import said
from function_app.page.screens.doctor import groups_of
from function_app.page.sentences import (
    LONGEST,
    MOST_CLAUSES,
    MOST_WORK,
    Pattern,
    Piece,
    Sentences,
    cut,
    kind_of,
    pattern_of,
    pieces_of,
    sentences_of,
)
from function_app.page.texts import LANGUAGES, Words
from shared.doctor.checks import Check
from shared.doctor.findings import Finding, Kind, State, Subject
from site_agent.job.csv_checks import check_stream
from site_agent.job.input_checks import all_faults
from site_agent.job.order import Column
from tests.unit.function_app.page.sentences_left import LEFT, NOT_ON_THE_PAGE

GOLDEN: Final = Path(__file__).parents[3] / "golden"
NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
ENGLISH, DUTCH = Words("en", UTC, NOW), Words("nl", UTC, NOW)
_HOLE = re.compile(r"%\(([a-z]+[0-9]*)\)s")
_BEFORE = re.compile(r"\A(?:\.\.\.; |; |[0-9]{3}: |\([a-z_, ]+\) )")
"""What the golden files have before a sentence: where it goes on, a status, a kind."""
_STANDS_FOR_A_CAUSE = re.compile(r"\((?:the cause|the limit|the reason|why|why, and what to do)\)")
_CAUSE_AND_REMEDY = re.compile(r"trains all the same; (.*) \((.*)\)")
"""So has a golden file what the page shows one below the other."""


def dutch() -> Sentences:
    found = sentences_of("nl")
    assert found is not None
    return found


def golden(file: Path) -> Iterator[str]:
    for block in file.read_text(encoding="utf-8").split("\n\n")[1:]:
        sentence = _STANDS_FOR_A_CAUSE.sub("no route to host", _BEFORE.sub("", block.partition(":\n    ")[2].strip()))
        apart = _CAUSE_AND_REMEDY.fullmatch(sentence)
        yield from apart.groups() if apart else (sentence,)


def english_in(text: str) -> list[str]:
    return [each.said for each in pieces_of(text, "nl") if each.english]


def listed(part: str) -> str:
    """The row of the list that a text which stays English is in, or the text."""
    known = (each for parts in LEFT.values() for each in parts)
    return next((each for each in known if each == part or (each[-1] == "…" and part.startswith(each[:-1]))), part)


_LEFT: Final = {part for parts in LEFT.values() for part in parts}
READ: Final = sorted(path.stem for path in GOLDEN.glob("*.txt") if path.stem not in NOT_ON_THE_PAGE)


@pytest.mark.parametrize("name", READ)
def test_every_sentence_that_people_read_is_said_in_dutch(name: str) -> None:
    left = {listed(part) for sentence in golden(GOLDEN / f"{name}.txt") for part in english_in(sentence)}

    assert left - _LEFT == set(), "translate them in locale/nl/sentences.po, or say in sentences_left.py why not"


def test_what_is_left_in_english_is_still_said() -> None:
    said_ = {
        listed(part) for name in READ for sentence in golden(GOLDEN / f"{name}.txt") for part in english_in(sentence)
    }

    assert _LEFT - said_ == set()
    assert {name for name in NOT_ON_THE_PAGE if not (GOLDEN / f"{name}.txt").is_file()} == set()


@pytest.mark.parametrize("check", every_check(), ids=lambda check: check.name)
def test_what_the_doctor_looks_at_is_said_in_dutch_with_the_same_command(check: Check[Services]) -> None:
    finding = Finding(
        check=check.name,
        subject=str(Subject(check.about, "" if check.about is Kind.APP else "x")),
        state=State.WRONG,
        found="",
        wanted=check.wanted,
        why=check.why,
        remedy=check.remedy,
    )
    said_, shown = groups_of([finding], "nl")[0].findings[0], groups_of([finding], "en")[0].findings[0]

    assert not english_in(check.wanted) + english_in(check.why) + english_in(finding.subject)
    assert (said_.english, shown.english) == (False, True)
    assert said_.advice.command == shown.advice.command


_COLUMNS: Final = {
    "age": Column(kind="integer", least=0, most=120),
    "seen on": Column(kind="date", least="2020-01-01", most="2030-01-01"),
    "kind": Column(kind="text", values=("a", "b")),
}
_HEADER = b"age,seen on,kind\n"
_FAULTY: Final = (
    b"",
    _HEADER,
    b"age;seen on;kind\n1;2024-01-01;a\n",
    b"AGE,SEEN ON,KIND\n1,2024-01-01,a\n",
    b"1,2,3\n",
    b"\n1,2024-01-01,a\n",
    b"age,age,seen on,kind\n1,1,2024-01-01,a\n",
    b"PK\x03\x04 and more",
    b"\x1f\x8b and more",
    b"%PDF and more",
    b"PAR1 and more",
    "age,seen on,kind\n".encode("utf-16"),
    _HEADER + b'1,2024-01-01,"a\n',
    _HEADER + b"1,2024-01-01,\xff\n",
    _HEADER + b"1,2024-01-01,\0\n",
    _HEADER + b"1,2024-01-01,a\r1,2024-01-01,a\r",
    _HEADER + b"1,2024-01-01\n,,\n , , \nage,seen on,kind\n",
    _HEADER + b"-1,2019-01-01,c\n121,2031-01-01,a\n1.5,31-12-2024,b\nnan,,a\n",
    _HEADER + b'"1,5",2024-01-01,a\n"1 000 000",2024-01-01,a\nx,2024-01-01,a\n,2024-01-01,a\n',
)


@pytest.mark.parametrize("content", _FAULTY, ids=range(len(_FAULTY)))
def test_what_is_wrong_with_a_file_of_data_is_said_in_dutch(content: bytes) -> None:
    told = check_stream(iter([content]), _COLUMNS).told("landing/part 1.csv")

    assert english_in(f"training: {told}") == []
    assert english_in(f"training: {all_faults([told, told], files=7)}") == []


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_every_pattern_has_a_translation_with_holes_that_are_known(language: str) -> None:
    known = sentences_of(language)
    assert known is not None
    for each in known.patterns:
        assert each.translation, each.message
        assert set(_HOLE.findall(each.translation)) <= set(each.holes), each.message
        assert len(set(each.holes)) == len(each.holes), each.message
        assert {kind_of(hole) for hole in each.holes} <= set(_KINDS), each.message
        assert all(each.literals[1:-1]), f"two holes stand side by side: {each.message}"


_WORD = st.text(st.characters(codec="utf-8", categories=("Lu", "Nd", "Po"), exclude_characters=";:,()%."), min_size=1)
_FOREIGN = st.lists(_WORD, min_size=1, max_size=4).map(" ".join)
_ID = st.from_regex(r"[A-Z0-9][A-Z0-9-]{0,20}", fullmatch=True)
_MOMENT = st.datetimes(min_value=datetime(2000, 1, 1)).map(lambda at: f"{at:%Y-%m-%d %H:%M:%S} UTC")  # noqa: DTZ001
_KINDS: Final[dict[str, st.SearchStrategy[str]]] = {
    "number": st.one_of(
        st.integers(-9, 10**9).map(str),
        st.integers(0, 10**9).map(lambda number: f"{number:,}"),
        st.floats(-1e9, 1e9).map(lambda number: f"{number:+.4g}"),
        st.just("nan"),
    ),
    "time": _MOMENT,
    "run": _ID,
    "name": _ID,
    "blob": _FOREIGN,
    "names": st.lists(_ID, min_size=1, max_size=3).map(", ".join),
    "text": _FOREIGN,
    "why": _FOREIGN,
    "who": _FOREIGN,
    "files": st.integers(2, 10**6).map(lambda number: f"{number} files"),
}
_POOL = st.fixed_dictionaries({kind: st.lists(values, min_size=6, max_size=6) for kind, values in _KINDS.items()})


@settings(max_examples=5)
@given(_POOL)
def test_a_sentence_made_from_a_pattern_is_read_by_it_and_keeps_its_values(pool: dict[str, list[str]]) -> None:
    for each in dutch().patterns:
        values = {hole: pool[kind_of(hole)][int(hole.removeprefix(kind_of(hole)) or 1) - 1] for hole in each.holes}
        shown = {
            hole: value.replace("files", "bestanden") if "files" in hole else value for hole, value in values.items()
        }
        english = _HOLE.sub(lambda found, values=values: values[found[1]], each.message)  # type: ignore[misc]
        wanted = _HOLE.sub(lambda found, shown=shown: shown[found[1]], each.translation)  # type: ignore[misc]

        assert "".join(part.said for part in dutch().read(english)) == wanted, each.message


@given(st.text(max_size=300))
def test_a_text_that_nobody_knows_stays_as_it_is(text: str) -> None:
    kept = "".join(each.said for each in dutch().read(f"ZZ {text}"))

    assert all(part in kept for part in re.findall(r"[A-Z]+", text) if part.isascii() is False)
    assert kept.startswith("ZZ")


def test_what_is_not_known_in_a_sentence_is_marked_as_english_and_escaped() -> None:
    shown = said("landing/<b>.csv was reported at 2026-05-01 10:00:00 UTC: the sky \u202e fell & <i>", DUTCH)

    assert shown == (
        '<bdi class="plain">landing/&lt;b&gt;.csv is gemeld op 2026-05-01 10:00:00 UTC: '
        '<span lang="en">the sky ⟨U+202E⟩ fell &amp; &lt;i&gt;</span></bdi>'
    )
    assert said("the sky fell", DUTCH) == '<span lang="en"><bdi class="plain">the sky fell</bdi></span>'
    assert said("Ada", DUTCH, somebodys=True) == '<bdi class="plain">Ada</bdi>'
    assert said("the app", DUTCH, somebodys=True) == '<bdi class="plain">de app</bdi>'
    assert said("the app", ENGLISH) == '<span lang="en"><bdi class="plain">the app</bdi></span>'


def test_clauses_that_are_known_are_said_beside_those_that_are_not() -> None:
    assert pieces_of("the fan is loud; start a run with force", "nl") == (
        Piece("the fan is loud", english=True),
        Piece("; start een run met force"),
    )
    assert pieces_of("one; two; three", "nl") == (Piece("one; two; three", english=True),)


class _Counted(Sentences):
    asked = 0

    def matching(self, text: str) -> list[tuple[Pattern, dict[str, str]]]:
        self.asked += 1
        return super().matching(text)


@pytest.mark.parametrize(
    "clause",
    ["it joined a group of files, which failed: training: x", "training: since 2026-01-01: which failed: x", "a"],
)
def test_a_text_that_is_made_to_take_long_takes_no_more_work_than_is_allowed(clause: str) -> None:
    for hostile in (
        "; ".join([clause] * 60)[:LONGEST],
        "; ".join(f"{number}{clause}{number}" for number in range(MOST_CLAUSES)),
    ):
        counted = _Counted(dutch().patterns)
        kept = "".join(each.said for each in counted.read(hostile))
        assert counted.asked <= MOST_WORK
        assert kept.count("; ") == hostile.count("; ")
    beyond = "the app; " * LONGEST
    assert dutch().read(beyond) == (Piece(beyond, english=True),)


def test_a_long_sentence_is_cut_after_it_is_translated() -> None:
    parts = (Piece("een twee drie "), Piece("four five six seven", english=True))

    assert cut(parts, 40) == parts
    assert cut(parts, 24) == (parts[0], Piece("four five...", english=True))


def test_holes_are_filled_in_the_order_of_the_language() -> None:
    known = Sentences([pattern_of("%(name)s serves %(run)s", "%(run)s draait op %(name)s")])

    assert known.read("hub-vm serves r-1") == (Piece("r-1 draait op hub-vm"),)
