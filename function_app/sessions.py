"""What the app signs so that it knows it again: sessions of the page, tickets to begin one, tokens in its forms. Pure.

Nothing of a key is in any of them: what ties them to one is a code made of the key's digest and the page's secret. So
each ends with the key's entry in the settings, and with the secret. Signatures and codes are compared in constant time.

- A **session** is the value of a cookie: the name of a key, its code, since when. It lasts eight hours. What it may do
  is not in it: roles are read at each request.
- A **ticket** is handed to a browser in an address, for ten minutes, and begins one session: its number is claimed.
- A **token** stands in a form, so that only a page of ours can send it: it is tied to who got the page, and to what the
  form does.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from itsdangerous import BadData, URLSafeSerializer

SESSION_LASTS: Final = timedelta(hours=8)
TICKET_LASTS: Final = timedelta(minutes=10)
TOKEN_LASTS: Final = timedelta(hours=8)
CLOCKS_DIFFER: Final = timedelta(minutes=1)
"""By which the clock of the instance that signed may be ahead."""
LONGEST: Final = 1000
"""Characters of what is looked at; ours have some two hundred."""
_CODE_DIGITS: Final = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session of the page: whoever knew the key of that name began it. ``number`` tells it from others."""

    key: str
    number: str
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A ticket that is valid, and may have been used: whoever takes it claims ``number``."""

    key: str
    number: str
    since: datetime


class Signatures:
    """Signs and knows again, by one secret. ``keys``: SHA-256 in hex of the keys in the settings, by name."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode("utf-8")
        self._serializer = URLSafeSerializer(
            secret, signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256}
        )

    def session(self, key: str, keys: Mapping[str, str], now: datetime) -> str:
        """The value of the cookie for whoever has shown the key of that name; raises :class:`KeyError`."""
        return self._named("session", key, keys, now)

    def session_in(self, text: str, keys: Mapping[str, str], now: datetime) -> Session | None:
        """The session of a cookie; None when it is none of ours, has ended, or its key is not in the settings."""
        found = self._read_named("session", text, keys, now, SESSION_LASTS)
        return Session(key=found[0], number=found[1], since=found[2]) if found else None

    def ticket(self, key: str, keys: Mapping[str, str], now: datetime) -> str:
        """A ticket for whoever has shown the key of that name; raises :class:`KeyError`."""
        return self._named("ticket", key, keys, now)

    def ticket_in(self, text: str, keys: Mapping[str, str], now: datetime) -> Ticket | None:
        """The ticket; None when it is none of ours, too old, or its key is not in the settings."""
        found = self._read_named("ticket", text, keys, now, TICKET_LASTS)
        return Ticket(key=found[0], number=found[1], since=found[2]) if found else None

    def token(self, bound: str, purpose: str, now: datetime) -> str:
        """A token for a form. ``bound``: who gets the page; ``purpose``: what the form does, and to what."""
        return self._write(["token", bound, purpose], {"at": _seconds(now)})

    def is_token(self, text: str, bound: str, purpose: str, now: datetime) -> bool:
        """Whether the token was made for this reader and this purpose, and not too long ago."""
        found = self._read(["token", bound, purpose], text)
        return found is not None and _within(found.get("at"), now, TOKEN_LASTS) is not None

    def _named(self, kind: str, key: str, keys: Mapping[str, str], now: datetime) -> str:
        says = {"key": key, "code": self._code(kind, keys[key]), "at": _seconds(now), "no": secrets.token_hex(12)}
        return self._write([kind], says)

    def _read_named(
        self, kind: str, text: str, keys: Mapping[str, str], now: datetime, lasts: timedelta
    ) -> tuple[str, str, datetime] | None:
        found = self._read([kind], text)
        if found is None:
            return None
        key, number, since = found["key"], found["no"], _within(found["at"], now, lasts)
        if since is None or key not in keys or not hmac.compare_digest(self._code(kind, keys[key]), found["code"]):
            return None
        return key, number, since

    def _code(self, kind: str, digest: str) -> str:
        """What ties a session or a ticket to a key, and tells nothing of it to whoever has not the secret."""
        return hmac.new(self._secret, f"{kind}:{digest.lower()}".encode(), hashlib.sha256).hexdigest()[:_CODE_DIGITS]

    def _write(self, what: list[str], says: Mapping[str, Any]) -> str:
        return str(self._serializer.dumps(says, salt=_salt(what)))

    def _read(self, what: list[str], text: str) -> dict[str, Any] | None:
        """What we have signed for that; nothing else is parsed."""
        if len(text) > LONGEST:
            return None
        try:
            found: dict[str, Any] = self._serializer.loads(text, salt=_salt(what))
        except (BadData, UnicodeError):  # the second: of texts that cannot be encoded
            return None
        return found


def _salt(what: list[str]) -> bytes:
    """Different for each list of texts: what was signed for one thing is nothing for another."""
    return json.dumps(["edgetrain.page", *what]).encode("ascii")


def _seconds(now: datetime) -> int:
    return int(now.timestamp())


def _within(at: Any, now: datetime, lasts: timedelta) -> datetime | None:
    """When it was made; None when that is longer ago, or later than clocks may differ."""
    if not isinstance(at, int):
        return None
    since = datetime.fromtimestamp(at, UTC)
    return since if -CLOCKS_DIFFER <= now - since < lasts else None
