"""Texts that must come out as text wherever people read them: names of files, reasons, parameters, lines of a log.

``CASES`` are the same for everybody, some of each kind; ``texts()`` is the strategy for hypothesis. What is markup or a
script gives itself away when it is taken for that: it makes an element of the class ``hostile``, an address that begins
with ``javascript:``, or calls ``hostile()``; :func:`signs_of_life` finds it in a page.
"""

import random
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st

if TYPE_CHECKING:
    from playwright.sync_api import Page

Maker = Callable[[random.Random, int], str]
"""From chance, and how many of its kind there have been."""

COUNT: Final = 200
SEED: Final = 12
_LONG: Final = 8_000
_WORDS: Final = ("scans", "part-7.csv", "accuracy", "patient 12", "München", "hub-vm", "0.95", "run")

_MARKUP: Final = (
    "<b class=hostile>bold</b>",
    "<img class=hostile src=x onerror=hostile()>",
    "<svg class=hostile onload=hostile()><title>x</title></svg>",
    "<script class=hostile>hostile()</script>",
    "<style class=hostile>*{display:none}</style>",
    "<iframe class=hostile srcdoc='<script>parent.hostile()</script>'></iframe>",
    "<base class=hostile href=//127.0.0.2/>",
    "<meta class=hostile http-equiv=refresh content=0;url=//127.0.0.2/>",
    "<form class=hostile action=//127.0.0.2/><input name=key>",
    "<details class=hostile open ontoggle=hostile()>",
    "<div class=hostile hx-get=/ui hx-trigger=load></div>",
    "<math><mtext><table><mglyph><style><img class=hostile src=x onerror=hostile()>",
)
_ENDS: Final = (
    "</td></tr></table><b class=hostile>",
    "</title><b class=hostile>",
    "</textarea><b class=hostile>",
    "</script><b class=hostile>",
    "</style><b class=hostile>",
    "--><b class=hostile><!--",
    "]]><b class=hostile>",
    "</svg><b class=hostile>",
    "</bdi></main><b class=hostile>",
)
_ATTRIBUTES: Final = (
    '" onmouseover="hostile()" class="hostile',
    "' onfocus='hostile()' autofocus class='hostile",
    '"><b class=hostile>',
    "'><b class=hostile>",
    "` onclick=hostile() class=hostile `",
    " class=hostile onload=hostile() ",
    '" style="background:url(//127.0.0.2/x)" class="hostile',
    '" hx-get="/ui" hx-trigger="load" class="hostile',
    '\\" class=hostile ',
)
_ADDRESSES: Final = (
    "javascript:hostile()",
    "JaVaScRiPt:hostile()",
    " javascript:hostile()",
    "java\tscript:hostile()",
    "java\nscript:hostile()",
    "\x01javascript:hostile()",
    "javascript&colon;hostile()",
    "data:text/html,<script>hostile()</script>",
    "vbscript:hostile()",
    "//127.0.0.2/x",
    "\\\\127.0.0.2\\x",
    "https://127.0.0.2@127.0.0.3/",
    "../../../ui/sign-out",
    "%2e%2e/%2e%2e/ui/sign-out",
    "?key=x&#x3C;b#fragment",
)
_TEMPLATES: Final = (
    "{{ 7 * 191 }}",
    "{% for _ in range(9) %}hostile{% endfor %}",
    "{# hostile #}",
    "{{ ''.__class__.__mro__ }}",
    "{{ config }}",
    "${7*191}",
    "#{7*191}",
    "<%= 7 * 191 %>",
    "%(name)s %s %d %n",
    "{0} {name} {0.__class__}",
    "&lt;b class=hostile&gt;",
    "&amp;lt;b&amp;gt;",
    "&#60;b class=hostile&#62;",
    "\\u003cb class=hostile\\u003e",
    "`hostile()`",
    '=HYPERLINK("//127.0.0.2")',
    "${jndi:ldap://127.0.0.2/x}",
)
_RIGHT_TO_LEFT: Final = ("مرحبا بالعالم", "שלום עולם", "بيانات 2026-11-29", "קובץ.csv", "فارسی ۱۲۳", "ܫܠܡܐ", "ދިވެހި")
_BIDI: Final = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_C0: Final = "".join(map(chr, (*range(0x01, 0x20), 0x7F)))
_C1: Final = "".join(map(chr, range(0x80, 0xA0)))
_INVISIBLE: Final = (
    "\u00ad\u034f\u115f\u180e\u200b\u200c\u200d\u2028\u2029\u2060\u2063\u3164\ufe0f\ufeff\U000e0041\U000e007f"
)
_SURROGATES: Final = ("\ud800", "\udbff", "\udc00", "\udfff")
_COMBINING: Final = "".join(map(chr, (*range(0x300, 0x340), 0x489, 0x20DD, 0x20E3, 0xFE26)))
_EMOJI: Final = ("🧪", "👩🏽‍🔬", "🏳️‍🌈", "👨‍👩‍👧‍👦", "🇳🇱", "🇳", "1️⃣", "🫠", "\U0001f9d1\u200d")
_BLANK: Final = ("", " ", "\n", "\t", "\r\n", "\u00a0", "\u2003", "\u3000", "\u200b", "\ufeff", "\x00")
_UNSEEN: Final = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u0600-\u0605\u061c\u06dd\u070f\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2064"
    r"\u2066-\u206f\ud800-\uf8ff\ufeff\ufff9-\ufffb\U000e0001\U000e0020-\U000e007f\U000f0000-\U000ffffd"
    r"\U00100000-\U0010fffd]"
)
"""Of what there is in texts here; written out, so that it says the same whatever the page's own rule is made of."""
_NON_CHARACTERS: Final = "\ufdd0\ufffe\uffff\U0001ffff\U0010ffff\ufffd\ue000"


@dataclass(frozen=True, slots=True)
class Hostile:
    """A text and what is wrong with it."""

    kind: str
    text: str

    @property
    def utf8(self) -> bool:
        """Whether it can be written in UTF-8; a JSON string can hold others, by ``\\ud800``."""
        return not any("\ud800" <= character <= "\udfff" for character in self.text)


def _each_of(those: tuple[str, ...], *, first: bool = False) -> Maker:
    """One after the other, among usual words. ``first``: nothing comes before it."""

    def make(chance: random.Random, number: int) -> str:
        before, after = chance.choice(("", *_WORDS)), chance.choice(("", *_WORDS))
        return f"{'' if first else before}{those[number % len(those)]}{after}"

    return make


def _strewn(characters: str) -> Maker:
    """Characters between those of usual words, at their beginning and at their end."""

    def make(chance: random.Random, _number: int) -> str:
        text = list(" ".join(chance.sample(_WORDS, 2)))
        for _ in range(chance.randint(1, 6)):
            text.insert(chance.choice((0, len(text), chance.randrange(len(text)))), chance.choice(characters))
        return "".join(text)

    return make


def _very_long(chance: random.Random, _number: int) -> str:
    """With and without a place to break the line."""
    piece = chance.choice(("a", "W", "_", "long ", "<", "&amp;", "\u0301", "漢", "é/", "-", "💾"))
    return (piece * _LONG)[: chance.randint(_LONG // 2, _LONG)]


def _overloaded(chance: random.Random, _number: int) -> str:
    """Letters under more marks than a line has room for."""
    return "".join(letter + "".join(chance.choices(_COMBINING, k=20)) for letter in chance.choice(_WORDS))


def _mixed(chance: random.Random, _number: int) -> str:
    """Several kinds in one text."""
    kinds = chance.sample([kind for kind in _KINDS if kind not in {"mixed", "very long"}], 3)
    return " ".join(_KINDS[kind](chance, chance.randrange(99)) for kind in kinds)


_KINDS: Final[dict[str, Maker]] = {
    "markup": _each_of(_MARKUP),
    "end of an element": _each_of(_ENDS),
    "attribute": _each_of(_ATTRIBUTES),
    "address": _each_of(_ADDRESSES, first=True),
    "template": _each_of(_TEMPLATES),
    "right to left": _each_of(_RIGHT_TO_LEFT),
    "bidi control": _strewn(_BIDI),
    "C0 control": _strewn(_C0),
    "NUL": _strewn("\x00"),
    "C1 control": _strewn(_C1),
    "invisible": _strewn(_INVISIBLE),
    "surrogate": _each_of(_SURROGATES),
    "no character": _strewn(_NON_CHARACTERS),
    "combining": _overloaded,
    "emoji": _each_of(_EMOJI),
    "very long": _very_long,
    "blank": lambda _chance, number: _BLANK[number % len(_BLANK)],
    "mixed": _mixed,
}
KINDS: Final = tuple(_KINDS)
_ROUND: Final = (*KINDS, "markup", "attribute", "address", "template")  # of these there are more


def hostile_texts(count: int = COUNT, seed: int = SEED) -> list[Hostile]:
    """So many different texts, of all kinds in turn; the same for the same seed."""
    chance = random.Random(seed)
    found: dict[str, Hostile] = {}
    made: Counter[str] = Counter()
    for kind in cycle(_ROUND):
        if len(found) >= count:
            break
        text = _KINDS[kind](chance, made[kind])
        found.setdefault(text, Hostile(kind, text))
        made[kind] += 1
    return list(found.values())


CASES: Final = tuple(hostile_texts())


def texts(*, surrogates: bool = False) -> st.SearchStrategy[str]:
    """Hostile texts for hypothesis, alone, in a row, and among any others; ``surrogates``: also what is no UTF-8."""

    def make(seed: int) -> str:
        chance = random.Random(seed)
        return _KINDS[chance.choice(KINDS)](chance, chance.randrange(99))

    made = st.integers(0, 2**32 - 1).map(make)
    whole = made | st.text() | st.lists(made | st.text(max_size=5), min_size=2, max_size=3).map("".join)
    if surrogates:
        return whole | st.text(st.characters(categories=["Cs", "L"]))
    return whole.filter(lambda text: Hostile("", text).utf8)


def read_by_a_browser(text: str) -> str:
    """What an element's ``textContent`` is when the text was written into HTML well: HTML has no NUL, and no CR."""
    return text.replace("\x00", "").replace("\r\n", "\n").replace("\r", "\n")


def shown_on_the_page(text: str) -> str:
    """What a screen shows of a text: itself, but for characters that nobody sees, or that turn others around.

    These stand there as code points, such as ``⟨U+202E⟩``: controls, formats, private use, and separators of lines.
    """
    return _UNSEEN.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", text)


WATCH_FOR_CALLS: Final = "window.hostile = () => { window.hostileCalls = (window.hostileCalls || 0) + 1; };"
"""For ``page.add_init_script``, before the page is opened."""
_SIGNS: Final = """() => {
  const found = [...document.querySelectorAll('.hostile')].map(each => each.outerHTML.slice(0, 200));
  for (const each of document.querySelectorAll('[href],[src],[action],[formaction]')) {
    for (const name of ['href', 'src', 'action', 'formaction']) {
      const address = each.hasAttribute(name) ? new URL(each.getAttribute(name), location.href) : location;
      if (!['http:', 'https:', 'mailto:'].includes(address.protocol) || /^127\\.0\\.0\\.[23]$/.test(address.hostname)) {
        found.push(address.href.slice(0, 200));
      }
    }
  }
  return window.hostileCalls ? [...found, `hostile() was called ${window.hostileCalls} times`] : found;
}"""


def signs_of_life(page: "Page") -> list[Any]:
    """What of these texts a page has taken for markup, for a script or for an address of one; empty when nothing."""
    found: list[Any] = page.evaluate(_SIGNS)
    return found
