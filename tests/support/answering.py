"""A real server that answers whatever it is told to: as a proxy or a sign-in page in between would."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE = b"<html>Please sign in to the corporate proxy</html>"


@dataclass(frozen=True)
class Reply:
    """One answer. ``cut``: bytes that are promised and then never sent."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    cut: int = 0


SIGN_IN = Reply(body=PAGE, content_type="text/html; charset=utf-8")


@dataclass
class Answering:
    """Where it listens, what it was asked, and what it says next: ``answer`` gets method and path.

    ``sent``: headers (by lower-case name) and body of each request in ``asked``.
    """

    url: str
    answer: Callable[[str, str], Reply] = lambda _method, _path: SIGN_IN
    asked: list[str] = field(default_factory=list)
    sent: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@contextmanager
def answering(tls: ssl.SSLContext | None = None) -> Iterator[Answering]:
    """Run it on a free loopback port; with ``tls`` it speaks https."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            served.asked.append(f"{self.command} {self.path}")
            served.sent.append(({name.lower(): value for name, value in self.headers.items()}, body))
            reply = served.answer(self.command, self.path)
            self.send_response(reply.status)
            for name, value in {"Content-Type": reply.content_type, **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body) + reply.cut))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.body)
            if reply.cut:
                self.close_connection = True

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_MERGE = _answer  # noqa: N815 - the library's

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    served = Answering(f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
