"""Documents as a small server sends them, for tests of pages, and of the browser that they are opened in."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from tests.support.in_a_thread import in_a_thread

POLICY: Final = "default-src 'self'; frame-ancestors 'none'; form-action 'self'; base-uri 'none'; object-src 'none'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """An answer. A document without a policy: ``policy=""``."""

    body: bytes
    kind: str = "text/html; charset=utf-8"
    policy: str = POLICY
    status: int = 200


def document(body: str, head: str = "") -> Sent:
    """A document that is well in all else."""
    return Sent(
        body=(
            '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>a page</title>'
            f'<meta name="viewport" content="width=device-width">{head}</head><body>{body}</body></html>'
        ).encode()
    )


@contextmanager
def served_pages(answers: Mapping[str, Sent]) -> Iterator[str]:
    """Serve answers by their path; yields the address before it. What is not there is 404, but for the favicon."""

    async def answer(request: web.Request) -> web.Response:
        sent = answers.get(request.path)
        if sent is None:
            return web.Response(status=204 if request.path == "/favicon.ico" else 404, text="")
        headers = {"Content-Type": sent.kind} | ({"Content-Security-Policy": sent.policy} if sent.policy else {})
        return web.Response(body=sent.body, status=sent.status, headers=headers)

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    with in_a_thread(web.AppRunner(app, access_log=None, shutdown_timeout=1)) as port:
        yield f"http://127.0.0.1:{port}"
