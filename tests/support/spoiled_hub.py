"""A hub whose answers are spoiled on their way: cut, altered, or another's altogether."""

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Answer:
    """What is answered to a GET. ``cut``: bytes after which the connection ends, whatever was announced."""

    status: int
    headers: dict[str, str]
    body: bytes
    cut: int | None = None


Spoil = Callable[[str, Answer], Answer]


@dataclass
class SpoiledHub:
    """Stands before a blob service. ``spoil`` gets the path and the answer of every GET; ``seen`` are the paths."""

    connection_string: str
    spoil: Spoil = field(default=lambda _, answer: answer)
    seen: list[str] = field(default_factory=list)

    def times(self, name: str, spoil: Callable[[Answer], Answer], *, count: int) -> None:
        """Spoil the first ``count`` answers about a blob of this name."""
        left = [count]

        def once(path: str, answer: Answer) -> Answer:
            if name not in path or left[0] == 0:
                return answer
            left[0] -= 1
            return spoil(answer)

        self.spoil = once

    def asked_for(self, name: str) -> int:
        """How often a blob of this name was read."""
        return sum(name in path for path in self.seen)


def shortened(answer: Answer) -> Answer:
    """Well-formed, and only the first half of what it should be."""
    half = answer.body[: len(answer.body) // 2]
    headers = {
        name: value for name, value in answer.headers.items() if name.lower() not in {"content-range", "content-md5"}
    }
    return replace(answer, headers=headers | {"Content-Range": f"bytes 0-{len(half) - 1}/{len(half)}"}, body=half)


def broken_off(answer: Answer) -> Answer:
    """The connection ends in the middle."""
    return replace(answer, cut=len(answer.body) // 2)


def altered(answer: Answer) -> Answer:
    """Of the right size, and one digit is another."""
    place = max(answer.body.rfind(b"1"), answer.body.rfind(b"2"))
    return replace(answer, body=answer.body[:place] + b"9" + answer.body[place + 1 :])


def html(answer: Answer, *, status: int = 200) -> Answer:
    """A page of some machine on the way."""
    return Answer(status, {"Content-Type": "text/html"}, b"<!DOCTYPE html><html><body>Sign in</body></html>")


@contextmanager
def spoiled_hub(connection_string: str) -> Iterator[SpoiledHub]:
    """The hub of this connection string, behind a door that can spoil its answers."""
    endpoint = connection_string.split("BlobEndpoint=")[1].split(";", maxsplit=1)[0]
    behind = urlsplit(endpoint)

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            connection, found = self._asked("HEAD")
            connection.close()
            self.send_response(found.status)
            for name, value in found.getheaders():
                self.send_header(name, value)
            self.end_headers()

        def _asked(self, method: str) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
            connection = http.client.HTTPConnection(str(behind.hostname), behind.port or 80, timeout=30)
            connection.request(method, self.path, headers=dict(self.headers))
            return connection, connection.getresponse()

        def do_GET(self) -> None:
            hub.seen.append(self.path)
            connection, found = self._asked("GET")
            answer = hub.spoil(self.path, Answer(found.status, dict(found.getheaders()), found.read()))
            connection.close()
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body[: answer.cut])
            self.close_connection = answer.cut is not None

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the base class calls it
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    door = endpoint.replace(str(behind.netloc), f"127.0.0.1:{server.server_address[1]}")
    hub = SpoiledHub(connection_string.replace(endpoint, door))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
