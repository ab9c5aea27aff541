"""Messages: queues, topic and duplicate detection of Service Bus, and the Event Grid topic of announcements."""

import os
from collections.abc import Callable
from typing import Final

from function_app.composition import Services
from shared.clients.announcements import SETTING as TOPIC_SETTING
from shared.clients.service_bus import QUARANTINE, RESULTS
from shared.clients.service_bus_access import BusAccess
from shared.clients.service_bus_examination import (
    MOST_DEAD,
    administration_of,
    dead_letters,
    drops_repeats,
    may_listen,
    may_send,
)
from shared.doctor import Check, Kind, Seen, ok, skipped, unknown, wrong
from shared.errors import PermanentError
from shared.settings import SERVICE_BUS_SETTING
from shared.values.texts import counted

REQUESTS: Final = "training-requests"
DISABLED: Final = "AzureWebJobs.on_training_request.Disabled"
_SECONDS: Final = 15.0


def _of_bus(look: Callable[[BusAccess], Seen]) -> Callable[[Services, str], Seen]:
    def see(services: Services, _: str) -> Seen:
        bus = services.settings.service_bus
        if bus.connection_string is None and not bus.namespace:
            return _without_namespace()
        return look(services.bus)

    return see


def _without_namespace() -> Seen:
    if os.environ.get(DISABLED, "").lower() in {"true", "1"}:
        return skipped("there is no namespace, and the trigger is switched off")
    return wrong(
        "there is no namespace, and the trigger for requests is not switched off",
        remedy=f"set {DISABLED} to true, or {SERVICE_BUS_SETTING}__fullyQualifiedNamespace",
    )


def _listens(access: BusAccess) -> Seen:
    may_listen(access, REQUESTS)
    return ok(f"{REQUESTS} lets it listen")


def _gave_up(services: Services, _: str) -> Seen:
    bus = services.settings.service_bus
    if bus.connection_string is None and not bus.namespace:
        return skipped("there is no namespace")
    try:
        dead = dead_letters(services.bus, REQUESTS)
    except PermanentError:
        return skipped("they were not looked at, see service_bus.requests")
    if dead:
        more = " or more" if dead >= MOST_DEAD else ""
        return wrong(f"{counted(dead, 'message')}{more} in the dead letters of {REQUESTS}")
    return ok("there are none")


def _sends(access: BusAccess) -> Seen:
    may_send(access, topic=RESULTS)
    may_send(access, queue=QUARANTINE)
    return ok(f"{RESULTS} and {QUARANTINE} let it send")


def _drops_repeats(access: BusAccess) -> Seen:
    administration = administration_of(access)
    if administration is None:
        return skipped("an emulator tells nothing of its entities")
    with administration:
        found = {
            RESULTS: drops_repeats(administration, topic=RESULTS),
            QUARANTINE: drops_repeats(administration, queue=QUARANTINE),
        }
    return judged_repeats(found)


def judged_repeats(found: dict[str, bool | None]) -> Seen:
    """By entity, whether it has duplicate detection; None when the app may not ask."""
    without = [name for name, drops in found.items() if drops is False]
    if without:
        return wrong(f"not in {' and '.join(without)}")
    if None in found.values():
        remedy = f"az servicebus topic show --name {RESULTS} --query requiresDuplicateDetection; the same for the queue"
        return unknown("the app may listen and send, as it should, and so not ask; ask by hand", remedy=remedy)
    return ok(f"{' and '.join(found)} have it")


def _announces(services: Services, _: str) -> Seen:
    if services.settings.announcements is None:
        return skipped("runs are not announced")
    services.announcements.require_access()
    return ok("the topic knows the app")


CHECKS: Final = (
    Check(
        name="service_bus.requests",
        about=Kind.APP,
        wanted=f"the queue {REQUESTS} is there, and the app may listen; or the trigger is switched off",
        why="requests of upstream systems stay in the queue unseen",
        remedy="create the queue, and give the app's identity Azure Service Bus Data Receiver, or check"
        f" {SERVICE_BUS_SETTING}",
        look=_of_bus(_listens),
        seconds=_SECONDS,
    ),
    Check(
        name="service_bus.dead_letters",
        about=Kind.APP,
        wanted=f"no message in the dead letters of {REQUESTS}",
        why="each is a request that was tried again and again, and that nobody has answered",
        remedy="read in the log what they failed for, mend it, send them again and remove them from the dead letters;"
        " docs/runbooks/my-data-did-not-train.md",
        look=_gave_up,
        seconds=_SECONDS,
    ),
    Check(
        name="service_bus.answers",
        about=Kind.APP,
        wanted=f"the topic {RESULTS} and the queue {QUARANTINE} are there, and the app may send",
        why="upstream systems wait for answers that never come",
        remedy="create them, and give the app's identity Azure Service Bus Data Sender, or check"
        f" {SERVICE_BUS_SETTING}",
        look=_of_bus(_sends),
        seconds=_SECONDS * 2,
    ),
    Check(
        name="service_bus.repeats",
        about=Kind.APP,
        wanted=f"{RESULTS} and {QUARANTINE} have duplicate detection",
        why="answers are sent at least once: without it an upstream system gets some of them twice",
        remedy="make them anew with requiresDuplicateDetection; it cannot be changed later",
        look=_of_bus(_drops_repeats),
        seconds=_SECONDS * 2,
    ),
    Check(
        name="announcements.rights",
        about=Kind.APP,
        wanted="the Event Grid topic takes events from the app",
        why="whoever waits for an approval or a new model hears nothing",
        remedy=f"check {TOPIC_SETTING}, or give the app's identity EventGrid Data Sender on the topic",
        look=_announces,
        seconds=_SECONDS,
    ),
)
