"""Listings of blobs in spite of names that no XML can carry.

A blob's name may hold U+FFFE or U+FFFF, and where the service is lax a control character; a listing is XML 1.0, which
has no form for these. An old storage API version, all that a Stack Hub answers, puts them there all the same, and no
parser takes the document. Newer versions write such a name percent-encoded. A service may also fail at it: it answers
500 to every page that the name is on.
https://learn.microsoft.com/rest/api/storageservices/list-blobs
"""

import re
from collections.abc import Callable
from typing import Any

from azure.core.exceptions import HttpResponseError
from azure.core.pipeline.transport import RequestsTransport, RequestsTransportResponse

from shared.decisions.arrivals.blob_names import carried

Page = tuple[str | None, str | None]
"""The name of its last blob, and the marker for what follows."""

_PAGE = 4096
_MOST_PAGES = 60
_REFERENCE = re.compile(r"&#(?:x([0-9A-Fa-f]{1,6})|([0-9]{1,7}));")


class ListingTransport(RequestsTransport):  # type: ignore[misc]  # the SDK imports it lazily, without a type
    """Sends requests as ever; in the answers to listings, what XML cannot carry is written so that it can."""

    def send(self, request: Any, **kwargs: Any) -> Any:
        """See the base class."""
        response = super().send(request, **kwargs)
        if "comp=list" not in request.url or kwargs.get("stream") or response.status_code != 200:
            return response
        return _Listing(request, response.internal_response)


class _Listing(RequestsTransportResponse):  # type: ignore[misc]
    """The answer to a listing."""

    def body(self) -> bytes:
        return legible(super().body())

    def text(self, encoding: str | None = None) -> str:
        return self.body().decode(encoding or "utf-8-sig")


def legible(document: bytes) -> bytes:
    """A listing that any XML parser takes; ``can_be_had`` says which names had what XML cannot carry."""
    text = document.decode("utf-8", "surrogateescape")
    return carried(_REFERENCE.sub(_plain, text)).encode("utf-8")


def _plain(reference: re.Match[str]) -> str:
    """What a reference stands for if XML cannot carry that; every other reference as it is."""
    code = int(reference[1], 16) if reference[1] else int(reference[2])
    plain = chr(code) if code <= 0x10FFFF else ""
    return plain if carried(plain) != plain else reference[0]


def where_it_breaks(ask: Callable[[str | None, int], Page], marker: str | None) -> str | None:
    """The last name before the page that the service fails at; empty when that is the first page.

    ``ask`` requests a page of at most so many names from a marker on. None when the listing works now, or when the
    service fails at other requests too.
    """
    last, size = "", _PAGE
    for _ in range(_MOST_PAGES):
        try:
            name, following = ask(marker, size)
        except HttpResponseError as error:
            if error.status_code != 500:
                return None
            if size == 1:
                return last
            size //= 2
            continue
        last = name or last
        if following is None:
            return None
        marker = following
    return None
