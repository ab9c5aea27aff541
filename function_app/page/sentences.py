"""Sentences of the app (of its ledger, of its API) in the reader's language, by patterns from a catalogue.

``locale/LANGUAGE/sentences.po`` has each as an English text with named holes, and its translation. A text is a row of
clauses joined by "; ", as the app composes them; each clause, or several together, is held against the patterns, and
what is in a hole may be a sentence itself. Of all ways to read a text the one is taken in which the fewest letters are
in holes or in no pattern. What stays English is told from the rest. Nothing is backtracked, and the work for one text
is bounded.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Final

from babel.messages.pofile import read_po

from function_app.page.texts import CATALOGUES

LONGEST: Final = 4_000
"""Letters of a text that is translated."""
MOST_WORK: Final = 400
"""So many parts of a text are held against the patterns; a text that asks for more stays English."""
MOST_CLAUSES: Final = 60
WIDEST: Final = 5
"""Clauses that are held against the patterns together, beside the whole text."""
DEEPEST: Final = 6
"""Sentences within sentences."""
BETWEEN: Final = "; "
_HOLE: Final = re.compile(r"%\(([a-z]+)([0-9]*)\)s")
_SENTENCES: Final = frozenset({"why", "who", "files"})
"""Holes for sentences, or for parts of some: these are translated."""
_COUNT: Final = re.compile(r"[0-9][0-9,]* [a-z]+")
_KINDS: Final[Mapping[str, re.Pattern[str]]] = {
    "number": re.compile(r"[+-]?[0-9][0-9.,]*(?:e[+-]?[0-9]+)?|[+-]?inf|nan"),
    "time": re.compile(r"\d{4}-\d\d-\d\d(?: \d\d:\d\d(?::\d\d)?(?: UTC| \([\w/+-]+\))?)?"),
    "run": re.compile(r"[\w.-]{1,200}"),
    "name": re.compile(r"\S{1,300}"),
    "files": _COUNT,
}
"""Of ``blob``, ``names`` and ``who`` it is asked that they are no two clauses; ``text`` and ``why`` may be."""
_ANYTHING: Final = frozenset({"text", "why"})


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a sentence. ``english``: it has not been translated."""

    said: str
    english: bool = False


@dataclass(frozen=True, slots=True)
class Pattern:
    """A sentence with holes: ``literals`` stand before, between and behind them, and have so many ``letters``."""

    message: str
    translation: str
    literals: tuple[str, ...]
    holes: tuple[str, ...]
    letters: int

    def values_in(self, sentence: str) -> dict[str, str] | None:
        """What is in the holes, each filled as shortly as can be; None when the text is another sentence."""
        first, last = self.literals[0], self.literals[-1]
        end = len(sentence) - len(last)
        if not (sentence.startswith(first) and sentence.endswith(last)) or end < len(first):
            return None
        values: dict[str, str] = {}
        at = len(first)
        for number, hole in enumerate(self.holes, start=1):
            until = end if number == len(self.holes) else sentence.find(self.literals[number], at + 1, end)
            if until <= at or not _fits(hole, sentence[at:until]):
                return None
            values[hole] = sentence[at:until]
            at = until + len(self.literals[number])
        return values


def _fits(hole: str, value: str) -> bool:
    kind = kind_of(hole)
    if kind in _KINDS:
        return _KINDS[kind].fullmatch(value) is not None
    return kind in _ANYTHING or BETWEEN not in value


def kind_of(hole: str) -> str:
    """What may stand in a hole, by its name: ``number2`` is a number."""
    return hole.rstrip("0123456789")


def pattern_of(message: str, translation: str) -> Pattern:
    """The pattern of a message of the catalogue."""
    parts = _HOLE.split(message)
    holes = tuple(f"{kind}{number}" for kind, number in zip(parts[1::3], parts[2::3], strict=True))
    literals = tuple(parts[::3])
    return Pattern(message, translation, literals, holes, sum(map(len, literals)))


def _rarest_word(literals: tuple[str, ...]) -> str:
    """The longest word that stands between spaces in every sentence of the pattern; empty when there is none."""
    ends = len(literals) - 1
    words = [""]
    for place, literal in enumerate(literals):
        parts = literal.split(" ")
        words += parts[place > 0 : len(parts) - (place < ends)]  # a word beside a hole is only a part of one
    return max(words, key=len)


@dataclass(frozen=True, slots=True)
class _Reading:
    """A text as it is read. ``left``: its letters that no pattern has itself."""

    pieces: tuple[Piece, ...]
    left: int


class Sentences:
    """The patterns of a language: whole sentences, and those with holes by a word that their sentences have."""

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        """``patterns``: those of its catalogue."""
        self.patterns = tuple(sorted(patterns, key=lambda each: -each.letters))
        self._whole = {each.message: each for each in self.patterns if not each.holes}
        self._by_word: dict[str, list[Pattern]] = {}
        for each in self.patterns:
            if each.holes:
                self._by_word.setdefault(_rarest_word(each.literals), []).append(each)

    def read(self, sentence: str) -> tuple[Piece, ...]:
        """The text in the language, as far as it is known; one English piece when none of it is."""
        english = (Piece(sentence, english=True),)
        if not sentence or len(sentence) > LONGEST:
            return english
        try:
            return _joined(_Reader(self).read(sentence, DEEPEST).pieces)
        except _TooMuchError:
            return english

    def matching(self, sentence: str) -> list[tuple[Pattern, dict[str, str]]]:
        """The patterns that the text is a sentence of, with what is in their holes; that with most letters first."""
        whole = self._whole.get(sentence)
        if whole is not None:
            return [(whole, {})]
        words = {*sentence.split(" "), ""}
        likely = (each for word in words for each in self._by_word.get(word, ()))
        found = [(each, values) for each in likely if (values := each.values_in(sentence)) is not None]
        return sorted(found, key=lambda each: (-each[0].letters, each[0].message))


class _TooMuchError(Exception):
    """A text asks for more work than any sentence of the app does."""


@dataclass(slots=True)
class _Reader:
    """The reading of one text, whose parts are read once each."""

    sentences: Sentences
    _texts: dict[str, _Reading] = field(default_factory=dict)
    _parts: dict[str, _Reading | None] = field(default_factory=dict)

    def read(self, sentence: str, depth: int) -> _Reading:
        """The best reading of clauses, from the last one to the first."""
        if sentence not in self._texts:
            self._texts[sentence] = self._read(sentence, depth)
        return self._texts[sentence]

    def _read(self, sentence: str, depth: int) -> _Reading:
        whole = self._sentence(sentence, depth)
        clauses = sentence.split(BETWEEN)
        if len(clauses) == 1 or len(clauses) > MOST_CLAUSES:
            return whole or _english(sentence)
        rest = [_Reading((), 0)] * (len(clauses) + 1)
        for start in reversed(range(len(clauses))):
            rest[start] = self._from(clauses, start, rest, depth)
        return whole if whole is not None and whole.left <= rest[0].left else rest[0]

    def _from(self, clauses: list[str], start: int, rest: list[_Reading], depth: int) -> _Reading:
        """The best reading of the clauses from ``start`` on, of which ``rest`` has those of fewer."""
        best = _beside(_english(clauses[start]), rest[start + 1])
        for end in range(start + 1, min(start + WIDEST, len(clauses)) + 1):
            found = self._sentence(BETWEEN.join(clauses[start:end]), depth)
            if found is not None and found.left + rest[end].left < best.left:
                best = _beside(found, rest[end])
        return best

    def _sentence(self, sentence: str, depth: int) -> _Reading | None:
        """The best reading as one sentence; None when no pattern has it."""
        if sentence in self._parts:
            return self._parts[sentence]
        if len(self._parts) >= MOST_WORK:
            raise _TooMuchError
        self._parts[sentence] = best = None
        for pattern, values in self.sentences.matching(sentence):
            found = self._filled(pattern, values, depth)
            if found is not None and (best is None or found.left < best.left):
                best = found
        self._parts[sentence] = best
        return best

    def _filled(self, pattern: Pattern, values: Mapping[str, str], depth: int) -> _Reading | None:
        inner: dict[str, _Reading] = {}
        for hole, value in values.items():
            kind = kind_of(hole)
            found = self.read(value, depth - 1) if kind in _SENTENCES and depth else _english(value)
            is_english = any(each.english for each in found.pieces)
            if kind == "files" and is_english:
                return None
            # Names are in no language, and in which one people have said something nobody knows.
            inner[hole] = found if kind == "why" or not is_english else _Reading((Piece(value),), len(value))
        parts = _HOLE.split(pattern.translation)
        pieces: list[Piece] = [Piece(parts[0])]
        for literal, kind, number in zip(parts[3::3], parts[1::3], parts[2::3], strict=True):
            pieces += [*inner[f"{kind}{number}"].pieces, Piece(literal)]
        return _Reading(tuple(pieces), sum(each.left for each in inner.values()))


def _english(sentence: str) -> _Reading:
    return _Reading((Piece(sentence, english=True),), len(sentence))


def _beside(first: _Reading, rest: _Reading) -> _Reading:
    between = (Piece(BETWEEN),) if rest.pieces else ()
    return _Reading((*first.pieces, *between, *rest.pieces), first.left + rest.left)


def _joined(pieces: Iterable[Piece]) -> tuple[Piece, ...]:
    """Pieces of one language that follow each other are one."""
    made: list[Piece] = []
    for each in pieces:
        if made and made[-1].english == each.english:
            made[-1] = Piece(made[-1].said + each.said, each.english)
        elif each.said:
            made.append(each)
    words = any(not each.english and each.said != BETWEEN for each in made)
    return tuple(made) if words else (Piece("".join(each.said for each in made), english=True),)


@cache
def sentences_of(language: str) -> Sentences | None:
    """Those of a language; None for English, which needs none."""
    file = CATALOGUES / language / "sentences.po"
    if not file.is_file():
        return None
    with file.open("rb") as stream:
        catalogue = read_po(stream, locale=language, abort_invalid=True)
    return Sentences(pattern_of(str(each.id), str(each.string)) for each in catalogue if each.id and each.string)


@lru_cache(maxsize=2_000)
def pieces_of(sentence: str, language: str) -> tuple[Piece, ...]:
    """The text in the language. An open page asks for the same ones again and again."""
    known = sentences_of(language)
    return known.read(sentence) if known is not None else (Piece(sentence, english=True),)


def cut(pieces: tuple[Piece, ...], most: int) -> tuple[Piece, ...]:
    """At most about so many letters of it, up to a space; whole where little more is left."""
    if sum(len(each.said) for each in pieces) <= most + most // 8:
        return pieces
    made: list[Piece] = []
    left = most
    for each in pieces:
        if len(each.said) > left:
            return (*made, Piece(each.said[:left].rpartition(" ")[0] + "...", each.english))
        made.append(each)
        left -= len(each.said)
    return tuple(made)
