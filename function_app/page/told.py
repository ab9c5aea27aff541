"""A sentence for the next page that is shown, in a cookie: what became of what somebody just did.

It says nothing that whoever holds the cookie may not know, and is shown as text.
"""

import base64
import binascii
from typing import Final

import azure.functions as func

from function_app.page.who import cookies_of
from shared.values.texts import shortened

COOKIE: Final = "edgetrain-told"
_LASTS: Final = 60
_LONGEST: Final = 800
_LONGEST_BYTES: Final = 2400
"""Browsers drop a cookie of more than four kilobytes."""


def telling(sentence: str) -> str:
    """The header that tells it on the next page."""
    said = shortened(sentence, _LONGEST).encode("utf-8", "replace")[:_LONGEST_BYTES]
    text = base64.urlsafe_b64encode(said.decode("utf-8", "ignore").encode("utf-8")).decode("ascii")
    return f"{COOKIE}={text}; Path=/ui; Max-Age={_LASTS}; HttpOnly; SameSite=Strict"


def told(req: func.HttpRequest) -> str:
    """The sentence that this page is to tell; empty for none."""
    text = cookies_of(req).get(COOKIE, "")
    try:
        return base64.urlsafe_b64decode(text.encode("ascii"))[:_LONGEST_BYTES].decode("utf-8") if text else ""
    except (binascii.Error, UnicodeError):
        return ""


def told_once() -> str:
    """The header that makes an end of it."""
    return f"{COOKIE}=; Path=/ui; Max-Age=0; HttpOnly; SameSite=Strict"
