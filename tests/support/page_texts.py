"""The sentences of the page: ``python -m tests.support.page_texts`` (``make texts``) brings the catalogues up to date.

New sentences are added without a translation, those that nobody says any more are removed; a test finds both.
"""

from pathlib import Path
from typing import Any, Final

from babel.messages import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from function_app.page.texts import CATALOGUES, LANGUAGES

PAGE: Final = CATALOGUES.parent
_METHODS: Final[list[tuple[str, str]]] = [("**.py", "python"), ("**/templates/**.html", "jinja2.ext:babel_extract")]
_OPTIONS: Final = {"**/templates/**.html": {"trimmed": "true", "newstyle_gettext": "true", "silent": "false"}}
_KEYWORDS: Final[dict[str, Any]] = {"_": None, "gettext": None, "ngettext": (1, 2), "text": None, "plural": (1, 2)}


def extracted() -> Catalog:
    """Every sentence that the page's code and templates say."""
    found = Catalog()
    messages = extract_from_dir(str(PAGE), _METHODS, options_map=_OPTIONS, keywords=_KEYWORDS)
    for file, _, message, _, _ in messages:
        found.add(message, locations=[(file, 0)])  # without lines, which move
    return found


def catalogue(language: str) -> Catalog:
    """What the catalogue of a language has."""
    file = file_of(language)
    if not file.is_file():
        return Catalog(locale=language)
    with file.open("rb") as stream:
        return read_po(stream, locale=language, abort_invalid=True)


def file_of(language: str) -> Path:
    """Where the catalogue of a language is."""
    return CATALOGUES / language / "messages.po"


def main() -> None:
    """Bring every catalogue up to date."""
    said = extracted()
    for language in LANGUAGES[1:]:  # the first one is that of the message ids
        known, made = catalogue(language), Catalog(locale=language, fuzzy=False)
        for message in said:
            if message.id:
                before = known.get(message.id)
                string = before.string if before else message.string
                made.add(message.id, string, flags=message.flags, locations=message.locations)
        file_of(language).parent.mkdir(parents=True, exist_ok=True)
        with file_of(language).open("wb") as stream:
            write_po(stream, made, sort_output=True, omit_header=True, include_lineno=False, width=140)
        left = sum(1 for message in made if message.id and not _said(message.string))
        print(f"{file_of(language)}: {len(made)} sentences, {left} without a translation")  # noqa: T201 - a command


def _said(string: object) -> bool:
    return all(string) if isinstance(string, tuple) else bool(string)


if __name__ == "__main__":
    main()
