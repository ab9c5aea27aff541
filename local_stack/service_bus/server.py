"""The broker as a server: journal, entities, key and listener put together; start and stop."""

import asyncio
import logging
import os
import secrets
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

from local_stack.azure_ml.tls import server_tls
from local_stack.files import private_folder, read_object, write_object
from local_stack.identity.tokens import Issuer
from local_stack.service_bus.config import Entities
from local_stack.service_bus.connection import Connection
from local_stack.service_bus.core import Broker
from local_stack.service_bus.journal import SqliteJournal
from local_stack.service_bus.tokens import AccessKey

log = logging.getLogger("service_bus")

HOST: Final = "127.0.0.1"
AMQPS_PORT: Final = 5671  # with TLS, the SDK takes the port out of a namespace's name
ENDPOINTS_FILE: Final = "endpoints.json"
_TICK: Final = 0.05  # seconds between looks at locks


class ServiceBus:
    """A running namespace."""

    def __init__(self, state: Path, entities: Entities, *, issuer: Issuer | None = None, namespace: str = "") -> None:
        """``issuer``: whose tokens are taken besides the key.

        ``namespace``: an address of this machine's own to be reached at by TLS as well, at the port where clients that
        are given a namespace and no connection string go.
        """
        self._namespace = namespace
        self._servers: list[asyncio.Server] = []
        self._state = private_folder(state)
        self._key = replace(_key(state / "key.json"), issuer=issuer)
        self._journal = SqliteJournal(state / "journal.sqlite3")
        self._journal.forget_before(time.time())
        self._broker: Broker = entities.broker(self._journal, time.time)
        self._clients: set[asyncio.Task[None]] = set()

    async def start(self, port: int) -> int:
        """Listen, on a free port if ``port`` is 0, and say so in ``endpoints.json``; gives the port."""
        self._servers.append(await asyncio.start_server(self._serve, HOST, port))
        bound = int(self._servers[0].sockets[0].getsockname()[1])
        by_token = await self._serve_by_tls() if self._namespace else {}
        self._ticker = asyncio.create_task(self._tick())
        endpoints = {
            "pid": os.getpid(),
            "url": f"sb://{HOST}:{bound}",
            "connection_string": self._key.connection_string(HOST, bound),
            **by_token,
        }
        write_object(self._state / ENDPOINTS_FILE, endpoints)
        return bound

    async def stop(self) -> None:
        """Let no more clients in, leave those that are there, close the journal."""
        (self._state / ENDPOINTS_FILE).unlink(missing_ok=True)
        for server in self._servers:
            server.close()
        for task in (self._ticker, *self._clients):
            task.cancel()
        await asyncio.gather(self._ticker, *self._clients, return_exceptions=True)
        self._journal.close()

    async def _serve_by_tls(self) -> dict[str, object]:
        context, bundle = server_tls(self._state / self._namespace, self._namespace)
        self._servers.append(await asyncio.start_server(self._serve, self._namespace, AMQPS_PORT, ssl=context))
        return {"by_token": {"namespace": self._namespace, "ca_bundle": str(bundle)}}

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving = asyncio.create_task(Connection(reader, writer, self._broker, self._key).serve())
        self._clients.add(serving)
        serving.add_done_callback(self._clients.discard)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK)
            try:
                self._broker.expire()
            except Exception:
                log.exception("locks could not be looked at")


def _key(path: Path) -> AccessKey:
    stored = read_object(path).get("key")
    if not isinstance(stored, str):
        stored = secrets.token_urlsafe(32)
        write_object(path, {"key": stored})
    return AccessKey(stored)
