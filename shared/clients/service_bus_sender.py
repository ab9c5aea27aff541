"""Sends messages to one entity of a Service Bus namespace.

A sender takes half a second to open, so it lives as long as the process. It is not thread-safe, so it sends one message
at a time; after an error it is discarded. The SDK's blocking client waits for ever for a namespace that accepts the
connection and then says nothing; its asynchronous client can time out, so that one is used, in an event loop of its
own.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient, ServiceBusSender
from azure.servicebus.exceptions import (
    MessageSizeExceededError,
    MessagingEntityNotFoundError,
    ServiceBusAuthenticationError,
    ServiceBusAuthorizationError,
    ServiceBusError,
)

from shared.clients.transient import transient
from shared.errors import Code, EdgetrainError, PermanentError, TransientError
from shared.settings import SERVICE_BUS_SETTING
from shared.values.texts import shortened

if TYPE_CHECKING:
    from shared.clients.service_bus_access import BusAccess

Result = TypeVar("Result")

SEND_SECONDS: Final = 20.0  # waiting for a turn, opening, sending, and the SDK's own retries
_CLOSE_SECONDS: Final = 3.0
# By its retries a connection comes back that the service closed because it was idle.
_RETRIES: Final[dict[str, Any]] = {"retry_total": 2, "retry_backoff_factor": 0.2}


class BusSender:
    """Sends to one entity; safe to share between threads."""

    def __init__(
        self,
        entity: str,
        access: BusAccess,
        open_sender: Callable[[ServiceBusClient, str], ServiceBusSender],
        *,
        seconds: float = SEND_SECONDS,
    ) -> None:
        self._entity = entity
        self._access = access
        self._open_sender = open_sender
        self._seconds = seconds
        self._sender: ServiceBusSender | None = None
        self._turn = asyncio.Lock()
        self._loop = _LoopThread()

    def send(self, message: ServiceBusMessage) -> None:
        """Send one message, and return when the broker has it.

        Raises :class:`TransientError` when the namespace does not answer, :class:`PermanentError` when it refuses.
        """
        try:
            self._loop.run(self._send(message))
        except TimeoutError as error:
            reason = f"Service Bus did not take the message to {self._entity} within {self._seconds:g} s"
            raise _unavailable(reason) from error
        except ServiceBusError as error:
            raise own_error(error) or _translated(error, self._entity) from error

    def close(self) -> None:
        """Close the connection, for good."""
        self._loop.run(self._close())
        self._loop.stop()

    async def _send(self, message: ServiceBusMessage) -> None:
        async with asyncio.timeout(self._seconds), self._turn:
            if self._sender is None:
                self._sender = self._open()
            try:
                await self._sender.send_messages(message)
            except BaseException:
                await self._drop()
                raise

    async def _close(self) -> None:
        async with self._turn:
            await self._drop()

    def _open(self) -> ServiceBusSender:
        return self._open_sender(self._access.client(**_RETRIES), self._entity)

    async def _drop(self) -> None:
        sender, self._sender = self._sender, None
        if sender is not None:
            with suppress(Exception):  # the sender cannot be used any more, whatever the error
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await sender.close()


class _LoopThread:
    """An event loop in a thread of its own, started on first use. A daemon: it does not keep the process alive."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run the coroutine on the loop; blocks until it has a result."""
        with self._guard:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="bus-outlet", daemon=True)
                self._thread.start()
            result = asyncio.run_coroutine_threadsafe(work, self._loop)
        return result.result()

    def stop(self) -> None:
        """End the thread."""
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()


def _unavailable(cause: str) -> TransientError:
    check = f"the health of the namespace, the network between the app and it, and {SERVICE_BUS_SETTING}"
    return transient(cause, check=check)


def own_error(error: BaseException) -> EdgetrainError | None:
    """Our own error, of the identity, that the SDK has wrapped in one of its own."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, EdgetrainError):
        cause = cause.__cause__ or cause.__context__
    return cause


def _translated(error: ServiceBusError, entity: str) -> PermanentError | TransientError:
    """The SDK's error in one of our two families."""
    remedy = _remedy(error, entity)
    if not remedy:
        return _unavailable(f"Service Bus did not take the message to {entity}: {shortened(error)}")
    reason = f"Service Bus refused the message to {entity}: {shortened(error)}; {remedy}"
    return PermanentError(reason, code=Code.BAD_CONFIGURATION)


def _remedy(error: ServiceBusError, entity: str) -> str:
    """What to do about a refusal; empty when waiting may help."""
    match error:
        case MessagingEntityNotFoundError():
            return f"create {entity}"
        case MessageSizeExceededError():
            return f"allow larger messages in {entity}"
        case ServiceBusAuthenticationError() | ServiceBusAuthorizationError():
            return f"the key in {SERVICE_BUS_SETTING} must be right, and have the right to send"
        case _:
            return ""
