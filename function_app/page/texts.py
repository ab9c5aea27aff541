"""Sentences, numbers and times for one reader: his language, his zone. Catalogues are read as they are, at first use.

Message ids are English sentences, so English needs no catalogue. Plural forms are those of Babel's locales (CLDR).
"""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cache, lru_cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from babel import Locale, negotiate_locale
from babel.dates import format_date, format_datetime, format_time, format_timedelta
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, format_percent
from babel.units import format_unit
from markupsafe import Markup

from function_app.page.later import Own

LANGUAGES: Final = ("en", "nl")
CATALOGUES: Final = Path(__file__).parent / "locale"
_UNKNOWN: Final = "\N{EN DASH}"
_NEVER: Final = Markup("\N{EN DASH}")
_TIME: Final = Markup('<time datetime="{}" title="{}">{}</time>')
_BESIDE: Final = Markup('{} <span class="quiet">({})</span>')
_HEARD: Final = Markup('{}<span class="unseen"> ({})</span>')
"""What is not seen is read aloud; of a reader's own zone the foot of the page says how it differs from UTC."""
_KIB: Final = 1024
_SPANS: Final = (("week", 604800), ("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))
_BYTES: Final = ("byte", "kilobyte", "megabyte", "gigabyte", "terabyte")
_LONGEST_ACCEPT: Final = 200
_LONGEST_ZONE: Final = 64


@dataclass(frozen=True, slots=True)
class Words:
    """What is said to one reader. ``now``: the moment that times are told from."""

    language: str
    zone: tzinfo
    now: datetime

    @property
    def locale(self) -> Locale:
        """As Babel has it; English is that of Europe, with days before months and 24 hours."""
        return _locale(self.language)

    def text(self, message: str, /, **values: object) -> str:
        """The sentence in the reader's language, with ``%(name)s`` filled in."""
        said = translations(self.language).gettext(message)
        return said % values if values else said

    def knows(self, sentence: str) -> bool:
        """Whether it is said in the reader's language, as sentences of the page itself are."""
        return bool(sentence) and (self.language == LANGUAGES[0] or self.said(sentence) != sentence)

    def said(self, sentence: str) -> str:
        """The sentence in the reader's language where it is the page's own; otherwise as it is."""
        if isinstance(sentence, Own):
            return self.text(sentence.message, **sentence.values)
        return self.text(sentence) if sentence else ""

    def plural(self, one: str, more: str, number: int, /, **values: object) -> str:
        """The form for that number, which the sentence has as ``%(number)s``."""
        said = translations(self.language).ngettext(one, more, number)
        return said % {"number": self.number(number), **values}

    def number(self, value: float | None, digits: int = 4) -> str:
        """A number with at most ``digits`` decimals, grouped; a dash for none."""
        if value is None:
            return _UNKNOWN
        if not math.isfinite(value):
            return str(value)
        pattern = "#,##0." + "#" * digits if digits else "#,##0"
        return str(format_decimal(value, format=pattern, locale=self.locale))

    def percent(self, share: float | None, digits: int = 1) -> str:
        """A share of one as a percentage."""
        if share is None:
            return _UNKNOWN
        return str(format_percent(share, format="#,##0." + "#" * digits + " %", locale=self.locale))

    def size(self, size: int | None) -> str:
        """Bytes in the unit that suits them; a dash where nobody said."""
        if size is None or size < 0:
            return _UNKNOWN
        value, unit = float(size), 0
        while value >= _KIB and unit < len(_BYTES) - 1:
            value, unit = value / _KIB, unit + 1
        digits = 0 if value >= 10 or unit == 0 else 1
        shown = format_decimal(value, format="#,##0." + "#" * digits if digits else "#,##0", locale=self.locale)
        if unit == 0:
            return str(format_unit(round(value), "byte", length="long", locale=self.locale))
        return str(format_unit(shown, f"digital-{_BYTES[unit]}", length="short", locale=self.locale))

    def duration(self, seconds: float | None) -> str:
        """A span in its two largest units, such as ``3 min 12 s``; a dash for none."""
        if seconds is None:
            return _UNKNOWN
        left = round(max(0.0, seconds))
        parts: list[str] = []
        for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
            count, left = divmod(left, size)
            if count or (unit == "second" and not parts):
                parts.append(str(format_unit(count, f"duration-{unit}", length="short", locale=self.locale)))
            elif parts:
                break
            if len(parts) == 2:
                break
        return " ".join(parts)

    def span(self, seconds: float) -> str:
        """A span as prose has it: in its largest unit, rounded, such as ``10 hours``."""
        unit, size = next((each for each in _SPANS if seconds >= each[1]), _SPANS[-1])
        return str(format_unit(round(max(0.0, seconds) / size), f"duration-{unit}", length="long", locale=self.locale))

    @property
    def offset(self) -> str:
        """How the reader's clock differs from UTC now, such as ``UTC+1``."""
        return _offset_text(self._offset(self.now))

    def when(self, moment: datetime | None) -> Markup:
        """A moment in the reader's zone, for where there is little room; a dash for none.

        UTC is read aloud after it, and seen where it cannot be told from the zone's offset of now.
        """
        if moment is None:
            return _NEVER
        beside = _HEARD if self._offset(moment) == self._offset(self.now) else _BESIDE
        return beside.format(self._time(moment), self._utc(moment))

    def _time(self, moment: datetime) -> Markup:
        at = moment.astimezone(UTC)
        exact = format_datetime(at, "d MMM y, HH:mm:ss", locale=self.locale) + " UTC"
        return _TIME.format(at.isoformat(), exact, self._here(moment))

    def _here(self, moment: datetime) -> str:
        here, today = moment.astimezone(self.zone), self.now.astimezone(self.zone)
        pattern = "d MMM, HH:mm" if here.year == today.year else "d MMM y, HH:mm"
        return str(format_datetime(here, pattern, locale=self.locale))

    def _utc(self, moment: datetime) -> str:
        return str(format_datetime(moment.astimezone(UTC), "d MMM HH:mm", locale=self.locale)) + " UTC"

    def _offset(self, moment: datetime) -> timedelta:
        return moment.astimezone(self.zone).utcoffset() or timedelta()

    def clock(self, moment: datetime) -> str:
        """A moment in the reader's zone as a plain text, such as ``29 Nov, 09:05``."""
        return str(format_datetime(moment.astimezone(self.zone), "d MMM, HH:mm", locale=self.locale))

    def both(self, moment: datetime | None) -> Markup:
        """A moment in the reader's zone, with UTC written beside it."""
        if moment is None:
            return _NEVER
        return _BESIDE.format(self._time(moment), self._utc(moment))

    def ago(self, moment: datetime | None) -> Markup:
        """How long ago, or in how long, in its largest unit, with the moment beside it."""
        if moment is None:
            return _NEVER
        span = moment - self.now
        if abs(span) < timedelta(seconds=45):
            said = self.text("just now") if span <= timedelta(0) else self.text("in a moment")
        else:
            said = str(format_timedelta(span, add_direction=True, threshold=1.2, locale=self.locale))
        here, today = moment.astimezone(self.zone), self.now.astimezone(self.zone)
        clock = format_time(here, "HH:mm", locale=self.locale) if here.date() == today.date() else self._here(moment)
        at = moment.astimezone(UTC)
        exact = format_datetime(at, "d MMM y, HH:mm:ss", locale=self.locale) + " UTC"
        utc = format_time(at, "HH:mm", locale=self.locale) + " UTC"
        return _BESIDE.format(_TIME.format(at.isoformat(), exact, said), _HEARD.format(clock, utc))

    def date(self, day: date) -> str:
        """A day, such as ``29 Nov``."""
        return str(format_date(day, "d MMM", locale=self.locale))

    def listed(self, names: Sequence[str]) -> str:
        """Names in a row: ``a, b and c``."""
        if len(names) < 2:
            return "".join(names)
        return self.text("%(first)s and %(last)s", first=", ".join(names[:-1]), last=names[-1])


def _offset_text(offset: timedelta) -> str:
    minutes = round(offset / timedelta(minutes=1))
    if not minutes:
        return "UTC"
    hours, rest = divmod(abs(minutes), 60)
    sign = "+" if minutes > 0 else "\N{MINUS SIGN}"
    return f"UTC{sign}{hours}" + (f":{rest:02}" if rest else "")


@cache
def _locale(language: str) -> Locale:
    return Locale.parse({"en": "en_GB"}.get(language, language), sep="_")


def words_for(accept: str, zone: str, now: datetime) -> Words:
    """For a reader who accepts these languages (``Accept-Language``) and says that his zone has this name."""
    return Words(language_of(accept), zone_of(zone), now)


def language_of(accept: str) -> str:
    """The language of ours that is wanted most, by the weights of RFC 9110, 12.5.4; English when none is."""
    weighed: list[tuple[float, int, str]] = []
    for place, part in enumerate(accept[:_LONGEST_ACCEPT].split(",")):
        name, _, parameters = part.strip().partition(";")
        weight = _weight(parameters)
        if name and weight > 0:
            weighed.append((-weight, place, name.replace("-", "_")))
    wanted = [name for _, _, name in sorted(weighed)]
    return negotiate_locale(wanted, LANGUAGES, sep="_") or LANGUAGES[0]


def _weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    try:
        return float(value) if name.strip() == "q" else 1.0
    except ValueError:
        return 0.0


@lru_cache(maxsize=1000)  # whoever asks says the name, signed in or not
def zone_of(name: str) -> tzinfo:
    """The zone of that name; UTC when there is none."""
    if len(name) > _LONGEST_ZONE:
        return UTC
    try:
        return ZoneInfo(name) if name else UTC
    except (OSError, ValueError, KeyError):  # the last: there is none of that name
        return UTC


@cache
def translations(language: str) -> NullTranslations:
    """The catalogue of a language."""
    file = CATALOGUES / language / "messages.po"
    if not file.is_file():
        return NullTranslations()
    with file.open("rb") as stream:
        catalogue = read_po(stream, locale=language, abort_invalid=True)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return GNUTranslations(compiled)
