"""Templates to HTML. Everything is escaped, and a name that a template uses and nobody gave is an error."""

import gzip
import hashlib
import unicodedata
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from function_app.page.actions import ACTS, address, may
from function_app.page.limits import LIMITS
from function_app.page.parameters import number_text
from function_app.page.roles import ROLE_NAMES
from function_app.page.sentences import Piece, cut, pieces_of
from function_app.page.stage_names import stage_name
from function_app.page.texts import Words, translations
from shared.decisions.explanations.actors import actor_text

VERSION: Final = "0.1.0"
"""That of pyproject.toml, which is not there where the app is deployed."""
TEMPLATES: Final = Path(__file__).parent / "templates"
ASSETS: Final = Path(__file__).parent / "assets"
KINDS: Final = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}
LIVE: Final = "live"
"""The block that an open page asks for again."""
_PLAIN: Final = Markup('<bdi class="plain">{}</bdi>')
_ENGLISH: Final = Markup('<span lang="en">{}</span>')
_ODD: Final = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}


def render(template: str, words: Words, values: Mapping[str, Any], *, live: str | None = None) -> str:
    """The whole page. ``live``: its changing part, where it is made already."""
    found = _environment(words.language).get_template(f"{template}.html")
    context = found.new_context({**values, "w": words})
    if live is not None:
        context.blocks[LIVE] = [lambda _: iter((live,))]
    return "".join(found.root_render_func(context))


def render_live(template: str, words: Words, values: Mapping[str, Any]) -> str:
    """The part of the page that changes."""
    found = _environment(words.language).get_template(f"{template}.html")
    context = found.new_context({**values, "w": words})
    return "".join(found.blocks[LIVE](context))


def digest_of(html: str) -> str:
    """By which a page knows that nothing has changed."""
    return hashlib.blake2s(html.encode("utf-8"), digest_size=8).hexdigest()


@cache
def asset_digest(name: str) -> str:
    """Part of an asset's address, so that a browser may keep it for ever."""
    return hashlib.blake2s((ASSETS / name).read_bytes(), digest_size=8).hexdigest()


@cache
def asset_compressed(name: str) -> bytes:
    """An asset by gzip. Pages are not compressed: their size would give away the tokens that they hold."""
    return gzip.compress((ASSETS / name).read_bytes(), mtime=0)


def plain(value: object) -> Markup:
    """Text from outside: what cannot be seen, or turns the direction of what follows, is shown as its code point."""
    return _PLAIN.format(_visible(str(value)))


def said(sentence: object, words: Words, most: int = 0, *, somebodys: bool = False) -> Markup:
    """A sentence of the app in the reader's language, with what is English in it marked so; cut after ``most`` letters.

    What it has from outside is escaped and shown as :func:`plain` does. ``somebodys``: it may be a name or a note, of
    which nobody knows in what language it is.
    """
    pieces = pieces_of(str(sentence), words.language)
    if most:
        pieces = cut(pieces, most)
    if somebodys:
        pieces = tuple(Piece(each.said) for each in pieces)
    shown = [_ENGLISH.format(_visible(each.said)) if each.english else escape(_visible(each.said)) for each in pieces]
    if len(pieces) == 1 and pieces[0].english:
        return _ENGLISH.format(plain(pieces[0].said))
    return _PLAIN.format(Markup("").join(shown))


def _visible(text: str) -> str:
    return "".join(
        f"⟨U+{ord(char):04X}⟩" if unicodedata.category(char) in _ODD and char not in "\n\t" else char for char in text
    )


def marks(wrong: Any, field: str) -> Markup:
    """What a field carries that is wrong, so that it is found; nothing for others."""
    if not wrong or wrong.field != field:
        return Markup()
    return Markup(' aria-invalid="true" aria-describedby="wrong-{}" autofocus').format(field)


@cache
def _environment(language: str) -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    made.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]
    made.policies["ext.i18n.trimmed"] = True
    made.filters["plain"] = plain
    made.globals["app_version"] = VERSION
    made.globals |= {"acts": ACTS, "may": may, "act_address": address, "role_names": ROLE_NAMES}
    made.globals |= {"marks": marks, "in_words": said}
    made.globals |= {"stage_name": stage_name, "actor_text": actor_text}
    made.globals |= {"number_text": number_text, "limits": LIMITS}
    made.globals["asset"] = lambda name: f"/ui/assets/{name}?v={asset_digest(name)}"
    return made
