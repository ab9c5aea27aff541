"""Service Bus triggers: messages of a queue or subscription, one call each, settled by how the call ends.

Source of the rules: the Service Bus extension of the host. Peek-lock; success completes, an exception or a time-out
abandons, so that the entity's ``MaxDeliveryCount`` decides when the message goes to the dead-letter queue. While a
function runs, its message's lock is renewed, up to ``maxAutoLockRenewalDuration``; after that the message comes again.

One task does everything with the receiver, in turn: the SDK's receiver keeps its state unguarded, and gives messages
back that arrive while it is doing something else than receiving.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver
from azure.servicebus.exceptions import MessageAlreadySettled, MessageLockLostError, MessageNotFoundError

from local_stack.functions_host.config import HostConfigError, ServiceBusOptions, resolve
from local_stack.functions_host.functions import HostedFunction
from local_stack.functions_host.invoker import AppInvoker, FunctionFailedError, error_type
from local_stack.functions_host.triggers.service_bus_message import body_of, delivery_of, metadata_of

log = logging.getLogger("functions_host.service_bus")

_DEFAULT_CONNECTION: Final = "ServiceBus"
# How long one receive waits: a stop has to wait for it, and while functions run, so has their settlement.
_IDLE_WAIT: Final = 1.0
_BUSY_WAIT: Final = 0.25
# A lock is renewed when this much of it is left, or half of it if that is less.
_RENEWAL_MARGIN: Final = timedelta(seconds=10)
_FIRST_PAUSE: Final = 0.5  # seconds between attempts to connect; doubled up to the longest
_LONGEST_PAUSE: Final = 10.0
_NEVER: Final = datetime.max.replace(tzinfo=UTC)
_LOST: Final = (MessageLockLostError, MessageAlreadySettled, MessageNotFoundError)


@dataclass(frozen=True, slots=True)
class Namespace:
    """How a namespace is reached: with a connection string, or by its name and the app's identity."""

    connection_string: str = field(default="", repr=False)
    name: str = ""
    client_id: str = ""
    """Of a user-assigned identity; empty: the system's own."""
    ca_bundle: str = ""

    @classmethod
    def of(cls, connection: str, settings: Mapping[str, str]) -> "Namespace | None":
        """What the settings say of this connection; ``None`` when they say nothing."""
        if text := settings.get(connection) or settings.get(f"AzureWebJobs{connection}"):
            return cls(text)
        if name := settings.get(f"{connection}__fullyQualifiedNamespace"):
            bundle = settings.get("REQUESTS_CA_BUNDLE", "")
            return cls(name=name, client_id=settings.get(f"{connection}__clientId", ""), ca_bundle=bundle)
        return None

    @asynccontextmanager
    async def client(self) -> AsyncIterator[ServiceBusClient]:
        """A connected client, for as long as the block lasts."""
        if self.connection_string:
            async with ServiceBusClient.from_connection_string(self.connection_string, retry_total=0) as client:
                yield client
            return
        from azure.identity.aio import ManagedIdentityCredential  # a quarter of a second, which few need

        trust: dict[str, Any] = {"connection_verify": self.ca_bundle} if self.ca_bundle else {}
        async with (
            ManagedIdentityCredential(client_id=self.client_id or None) as identity,
            ServiceBusClient(self.name, identity, retry_total=0, **trust) as client,
        ):
            yield client


@dataclass(frozen=True, slots=True)
class Source:
    """Where a function's messages come from: a queue, or a topic's subscription, of a namespace."""

    namespace: Namespace
    entity: str
    subscription: str = ""

    @classmethod
    def of(cls, function: HostedFunction, settings: Mapping[str, str]) -> "Source | None":
        """Read the trigger's attributes; ``None`` when the connection's settings are missing.

        Raises :class:`~local_stack.functions_host.config.HostConfigError` on what this host does not serve.
        """
        attributes = function.trigger.attributes
        if str(attributes.get("cardinality", "one")).lower() == "many" or attributes.get("isSessionsEnabled"):
            raise HostConfigError(f"{function.name}: batches and sessions of Service Bus are not served")
        name = str(attributes.get("connection") or _DEFAULT_CONNECTION)
        found = Namespace.of(name, settings)
        if found is None:
            log.error("setting missing function=%s setting=%s", function.name, name)
            return None
        entity = resolve(str(attributes.get("queueName") or attributes["topicName"]), settings)
        return cls(found, entity, resolve(str(attributes.get("subscriptionName") or ""), settings))

    def receiver(self, client: ServiceBusClient) -> ServiceBusReceiver:
        """A peek-lock receiver for it."""
        if self.subscription:
            return client.get_subscription_receiver(self.entity, self.subscription)
        return client.get_queue_receiver(self.entity)


@dataclass(slots=True, eq=False)
class _Call:
    """A function that runs, or has run, for a message."""

    message: ServiceBusReceivedMessage
    receiver: ServiceBusReceiver
    renew_until: datetime
    renew_at: datetime = _NEVER

    def plan_renewal(self) -> None:
        """Decide when the lock is to be renewed next."""
        until, now = self.message.locked_until_utc, datetime.now(UTC)
        if until is None or now >= self.renew_until:
            self.renew_at = _NEVER
        else:
            self.renew_at = until - min(_RENEWAL_MARGIN, (until - now) / 2)


class ServiceBusListener:
    """Runs one function for the messages of its entity. Connects again whenever the connection is lost."""

    def __init__(
        self, function: HostedFunction, invoker: AppInvoker, source: Source, options: ServiceBusOptions
    ) -> None:
        self._function = function
        self._invoker = invoker
        self._source = source
        self._options = options
        self._stopping = asyncio.Event()
        self._calls: dict[asyncio.Task[bool], _Call] = {}
        self._task: asyncio.Task[None] | None = None

    @classmethod
    def for_function(
        cls, function: HostedFunction, invoker: AppInvoker, settings: Mapping[str, str], options: ServiceBusOptions
    ) -> Self | None:
        """Build it from the trigger's attributes; ``None`` when its connection is not configured.

        Raises what :meth:`Source.of` does.
        """
        source = Source.of(function, settings)
        return cls(function, invoker, source, options) if source else None

    def start(self) -> None:
        """Begin to connect."""
        self._task = asyncio.create_task(self._run())

    async def stop(self, grace: timedelta) -> None:
        """Receive nothing new; settle what ends within ``grace``, cancel the rest and leave it to its lock."""
        self._stopping.set()
        if self._task is None:
            return
        await asyncio.wait({self._task}, timeout=grace.total_seconds())
        self._task.cancel()
        for call in self._calls:
            call.cancel()
        await asyncio.gather(self._task, *self._calls, return_exceptions=True)

    async def _run(self) -> None:
        pause = _FIRST_PAUSE
        while not self._stopping.is_set():
            try:
                async with self._source.namespace.client() as client, self._source.receiver(client) as receiver:
                    log.info("receiving function=%s entity=%s", self._function.name, self._source.entity)
                    pause = _FIRST_PAUSE
                    await self._serve(receiver)
            except Exception as error:  # whatever the SDK raises, the trigger goes on
                kind = type(error).__name__
                log.warning("not receiving function=%s error=%s pause_s=%g", self._function.name, kind, pause)
                log.debug("not receiving function=%s", self._function.name, exc_info=error)
                await self._wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass

    async def _serve(self, receiver: ServiceBusReceiver) -> None:
        while self._calls or not self._stopping.is_set():
            await self._settle_ended(receiver)
            await self._renew_locks(receiver)
            free = self._options.max_concurrent_calls - len(self._calls)
            if free > 0 and not self._stopping.is_set():
                wait = _BUSY_WAIT if self._calls else _IDLE_WAIT
                for message in await receiver.receive_messages(free, max_wait_time=wait):
                    self._start(receiver, message)
            elif self._calls:
                await asyncio.wait(self._calls, timeout=_BUSY_WAIT, return_when=asyncio.FIRST_COMPLETED)

    def _start(self, receiver: ServiceBusReceiver, message: ServiceBusReceivedMessage) -> None:
        call = _Call(message, receiver, datetime.now(UTC) + self._options.max_lock_renewal)
        call.plan_renewal()
        self._calls[asyncio.create_task(self._call(message))] = call

    async def _call(self, message: ServiceBusReceivedMessage) -> bool:
        """Run the function; gives whether it succeeded."""
        try:
            await self._invoker.run_trigger(self._function, body_of(message), metadata_of(message))
        except FunctionFailedError as error:
            log.error(
                "message failed function=%s sequence=%s delivery=%d error=%s\n%s",
                self._function.name,
                message.sequence_number,
                delivery_of(message),
                error_type(error),
                error.stack,
            )
            return False
        return True

    async def _settle_ended(self, receiver: ServiceBusReceiver) -> None:
        for task in [task for task in self._calls if task.done()]:
            call = self._calls.pop(task)
            succeeded = not task.cancelled() and task.exception() is None and task.result()
            if call.receiver is not receiver:
                # Delivery ids mean nothing on another connection: settling here could hit another message.
                self._report_lost("settled", call)
                continue
            await self._if_still_locked(receiver.complete_message if succeeded else receiver.abandon_message, call)

    async def _renew_locks(self, receiver: ServiceBusReceiver) -> None:
        now = datetime.now(UTC)
        for call in self._calls.values():
            if call.receiver is receiver and call.renew_at <= now:
                call.renew_at = _NEVER
                if await self._if_still_locked(receiver.renew_message_lock, call):
                    call.plan_renewal()

    async def _if_still_locked(
        self, operation: Callable[[ServiceBusReceivedMessage], Awaitable[object]], call: _Call
    ) -> bool:
        try:
            await operation(call.message)
        except _LOST:
            self._report_lost(operation.__name__, call)
            return False
        return True

    def _report_lost(self, what: str, call: _Call) -> None:
        log.warning(
            "LOCK LOST, the message comes again function=%s sequence=%s in=%s",
            self._function.name,
            call.message.sequence_number,
            what,
        )
