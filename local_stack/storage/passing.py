"""What stands in front of a storage service passes requests on: bodies stream in both directions, nothing else changes.

Untouched matters: requests are signed (SharedKey) over method, path, query and headers.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Final

import aiohttp
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

_CHUNK: Final = 256 * 1024
# These speak about one connection, not about the message (RFC 9110, 7.6.1); Expect was answered by this server.
_HOP_BY_HOP: Final = (
    "connection",
    "expect",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
)
_SESSION: Final = web.AppKey("session", aiohttp.ClientSession)


async def session(app: web.Application) -> AsyncIterator[None]:
    """The connections to what is behind; for ``cleanup_ctx`` of an application that passes on."""
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=5)
    async with aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as opened:
        app[_SESSION] = opened
        yield


async def pass_on(
    request: web.Request, url: str, *, without: str = "", answer_with: Mapping[str, str] | None = None
) -> web.StreamResponse:
    """Ask ``url`` for the same, without one of the headers; its answer, some of its headers set anew.

    ``url`` is taken exactly as it is: decoding and encoding again could change what was signed. Raises
    ``aiohttp.ClientConnectionError`` when nobody answers there.
    """
    headers = _end_to_end(request.headers)
    headers.popall(without, None)
    async with request.app[_SESSION].request(
        request.method,
        URL(url, encoded=True),
        headers=headers,
        data=request.content.iter_chunked(_CHUNK) if request.body_exists else None,
        skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
        allow_redirects=False,
    ) as answer:
        response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=_end_to_end(answer.headers))
        response.headers.update(answer_with or {})
        await response.prepare(request)
        if request.method != "HEAD":
            async for chunk in answer.content.iter_chunked(_CHUNK):
                await response.write(chunk)
        await response.write_eof()
        return response


def _end_to_end(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    kept = headers.copy()
    for name in _HOP_BY_HOP:
        kept.popall(name, None)
    return kept
