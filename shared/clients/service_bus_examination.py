"""What may be done in a Service Bus namespace, and whether its entities drop repeats. Nothing is sent or received."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.servicebus import ServiceBusSubQueue
from azure.servicebus.exceptions import (
    MessagingEntityNotFoundError,
    ServiceBusAuthenticationError,
    ServiceBusAuthorizationError,
    ServiceBusError,
)

from shared.clients.foreign_answers import stranger
from shared.clients.service_bus_access import BusAccess
from shared.clients.service_bus_sender import own_error
from shared.clients.transient import transient
from shared.errors import Code, PermanentError
from shared.settings import SERVICE_BUS_SETTING
from shared.values.texts import shortened

SECONDS: Final = 12.0
MOST_DEAD: Final = 50
"""Dead letters that are counted; a message may be large, and all of it comes."""
_FEW_TRIES: Final[dict[str, Any]] = {"retry_total": 0}

Answer = TypeVar("Answer")


def may_listen(access: BusAccess, queue: str) -> None:
    """Look at the head of a queue without taking anything; raises our errors when that is refused."""

    async def peek() -> None:
        async with access.client(**_FEW_TRIES) as client, client.get_queue_receiver(queue) as receiver:
            await receiver.peek_messages(max_message_count=1)

    _run(peek(), queue, "listen")


def dead_letters(access: BusAccess, queue: str) -> int:
    """How many messages at least lie in a queue's dead letters, :data:`MOST_DEAD` at the most. None is taken.

    They are looked at, because whoever may listen may do that; the service's own count is for who may manage it.
    """

    async def peek() -> int:
        async with (
            access.client(**_FEW_TRIES) as client,
            client.get_queue_receiver(queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER) as receiver,
        ):
            return len(await receiver.peek_messages(max_message_count=MOST_DEAD))

    return _run(peek(), queue, "listen")


def may_send(access: BusAccess, *, queue: str = "", topic: str = "") -> None:
    """Open a link for sending, and send nothing; raises our errors when that is refused."""

    async def attach() -> None:
        async with access.client(**_FEW_TRIES) as client:
            sender = client.get_queue_sender(queue) if queue else client.get_topic_sender(topic)
            async with sender:  # entered only when the link is open
                pass

    _run(attach(), queue or topic, "send")


def drops_repeats(administration: Any, *, queue: str = "", topic: str = "") -> bool | None:
    """Whether an entity has duplicate detection; None when only others may ask."""
    name = queue or topic
    try:
        found = administration.get_queue(queue) if queue else administration.get_topic(topic)
    except ClientAuthenticationError:
        return None
    except ResourceNotFoundError:
        raise _missing(name) from None
    except HttpResponseError as error:
        if error.status_code in {401, 403}:
            return None
        raise _no_answer(f"answered {error.status_code}") from None
    except AzureError as error:
        raise _no_answer(f"did not answer ({type(error).__name__})") from None
    except (
        AttributeError,
        KeyError,
        TypeError,
        ValueError,
    ) as error:  # what the SDK says of an answer of another shape
        raise stranger("Service Bus", f"content of another shape ({type(error).__name__})") from None
    if found.requires_duplicate_detection is None:
        raise stranger("Service Bus", f"a description of {name} that leaves duplicate detection out")
    return bool(found.requires_duplicate_detection)


def administration_of(access: BusAccess) -> Any:
    """The SDK's client that asks about entities; None for an emulator, which has none."""
    from azure.servicebus.management import ServiceBusAdministrationClient

    options: dict[str, Any] = {"retry_total": 1, "connection_timeout": 5, "read_timeout": 10}
    if (text := access.bus.connection_string) is None:
        return ServiceBusAdministrationClient(access.bus.namespace, access.identity(access.bus.client_id), **options)
    if "UseDevelopmentEmulator=true" in text.get_secret_value():
        return None
    try:
        return ServiceBusAdministrationClient.from_connection_string(text.get_secret_value(), **options)
    except ValueError:  # its text may hold the key
        reason = f"{SERVICE_BUS_SETTING} is not a connection string of a Service Bus namespace; copy it again"
        raise PermanentError(reason, code=Code.BAD_CONFIGURATION) from None


def _run(work: Coroutine[Any, Any, Answer], entity: str, right: str) -> Answer:
    async def bounded() -> Answer:
        async with asyncio.timeout(SECONDS):
            return await work

    try:
        return asyncio.run(bounded())
    except MessagingEntityNotFoundError:
        raise _missing(entity) from None
    except (ServiceBusAuthenticationError, ServiceBusAuthorizationError):
        reason = f"the namespace refuses to let the app {right} at {entity}"
        raise PermanentError(reason, code=Code.BAD_CONFIGURATION) from None
    except TimeoutError:
        raise _no_answer(f"gave no answer about {entity} within {SECONDS:g} s") from None
    except ServiceBusError as error:
        raise own_error(error) or _no_answer(f"did not answer about {entity}: {shortened(error)}") from None


def _missing(entity: str) -> PermanentError:
    return PermanentError(f"the namespace has no {entity}; create it", code=Code.BAD_CONFIGURATION)


def _no_answer(what: str) -> Exception:
    return transient(f"Service Bus {what}", check=f"the health of the namespace and {SERVICE_BUS_SETTING}")
