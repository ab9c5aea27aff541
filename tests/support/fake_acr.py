"""The login of an Azure Container Registry in front of a real registry, and the ways it differs from one on loopback.

Every request to ``/v2/`` needs a Bearer token for just what it does; tokens come from ``/oauth2/exchange`` and
``/oauth2/token``.
"""

import json
import re
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from requests.auth import _basic_auth_str

ENTRA_TOKEN = "a-token-of-entra"
USERNAME, PASSWORD = "edgetrain-push", "a-password"


@dataclass
class FakeAcr:
    """What it does besides, and what it was asked: ``asked`` holds ``METHOD path status`` without queries."""

    backend: str
    mounts: bool = True
    redirects_blobs: bool = False
    another_realm: str = ""
    url: str = ""
    asked: list[str] = field(default_factory=list)
    refresh_tokens: set[str] = field(default_factory=set)
    access_tokens: dict[str, set[str]] = field(default_factory=dict)

    def expire_tokens(self) -> None:
        self.access_tokens.clear()
        self.refresh_tokens.clear()

    def token(self, form: dict[str, list[str]], authorization: str) -> dict[str, str] | None:
        """The answer of ``/oauth2/token``: to a refresh token, or to a user name and password."""
        known = form.get("refresh_token", [""])[0] in self.refresh_tokens
        if not known and authorization != _basic_auth_str(USERNAME, PASSWORD):
            return None
        token = secrets.token_hex(8)
        self.access_tokens[token] = set(form["scope"])
        return {"access_token": token}

    def exchange(self, form: dict[str, list[str]]) -> dict[str, str] | None:
        if form["access_token"] != [ENTRA_TOKEN]:
            return None
        token = secrets.token_hex(8)
        self.refresh_tokens.add(token)
        return {"refresh_token": token}


@contextmanager
def running_acr(backend: str, **behaviour: Any) -> Iterator[FakeAcr]:
    acr = FakeAcr(backend, **behaviour)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"acr": acr}))
    acr.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield acr
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    acr: FakeAcr
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        path, query = urlsplit(self.path).path, urlsplit(self.path).query
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if path == "/oauth2/exchange":
            self._reply(self.acr.exchange(parse_qs(body.decode())))
        elif path == "/oauth2/token":
            form = parse_qs(body.decode() or query)
            self._reply(self.acr.token(form, self.headers.get("Authorization", "")))
        elif self._allowed(path, query):
            self._forward(path, query, body)
        else:
            realm = self.acr.another_realm or f"{self.acr.url}/oauth2/token"
            challenge = f'Bearer realm="{realm}",service="{urlsplit(self.acr.url).netloc}",scope="x"'
            self._send(401, {"WWW-Authenticate": challenge}, b"")

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 - the base class's

    def _allowed(self, path: str, query: str) -> bool:
        """Whether the token covers the repository, and the one that a blob is mounted from."""
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        granted = self.acr.access_tokens.get(token, set())
        found = re.match(r"/v2/(.+?)/(?:manifests|blobs|tags)/", path)
        actions = "pull" if self.command in {"GET", "HEAD"} else "pull,push"
        needed = {f"repository:{found[1]}:{actions}"} if found else set()
        needed |= {f"repository:{source}:pull" for source in parse_qs(query).get("from", ())}
        return needed <= granted

    def _forward(self, path: str, query: str, body: bytes) -> None:
        if self.acr.redirects_blobs and "/blobs/sha256:" in path and self.command in {"GET", "HEAD"}:
            self._send(307, {"Location": f"{self.acr.backend}{path}"}, b"")
            return
        if not self.acr.mounts and "mount=" in query:
            query = ""
        headers = {name: value for name, value in self.headers.items() if name.startswith(("Content-", "Accept"))}
        reply = requests.request(
            self.command, f"{self.acr.backend}{path}?{query}", data=body, headers=headers, timeout=30, stream=True
        )
        kept = ("Content-Type", "Docker-Content-Digest", "Location", "Link")
        content = reply.raw.read()
        self._send(reply.status_code, {name: reply.headers[name] for name in kept if name in reply.headers}, content)

    def _reply(self, value: dict[str, str] | None) -> None:
        status = 200 if value else 401
        self._send(status, {"Content-Type": "application/json"}, json.dumps(value or {"errors": []}).encode())

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.acr.asked.append(f"{self.command} {urlsplit(self.path).path} {status}")
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class's
        pass
