"""Names by which Azure and the app meet: queues, topics, functions that events go to, the hub of orchestrations."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from infra.checks.bicep import BicepFile, Resource, texts
from infra.checks.findings import Finding
from shared.settings import LedgerSettings

MESSAGING, SCHEDULER, EVENTS = "modules/messaging.bicep", "modules/scheduler.bicep", "after-code.bicep"
MAIN, PREFIX = "main.bicep", "ledgerPrefix"
STORAGE, TABLES = "modules/storage.bicep", "Microsoft.Storage/storageAccounts/tableServices/tables"
ENTITIES = ("Microsoft.ServiceBus/namespaces/queues", "Microsoft.ServiceBus/namespaces/topics")
RUN_ENDED = tuple(f"Microsoft.MachineLearningServices.{name}" for name in ("RunCompleted", "RunStatusChanged"))
"""Success, and failure: https://learn.microsoft.com/azure/machine-learning/how-to-use-event-grid."""

_PREFIX_SETTING = "EDGETRAIN_LEDGER_PREFIX"
_ENTITY = re.compile(r"^(?:QUEUE|RESULTS|QUARANTINE)(?:: Final)? = \"([^\"]+)\"", re.MULTILINE)
_EVENT_TRIGGER = re.compile(r"type=EVENT_GRID_TRIGGER\)(?:\s+@[^\n]+)*\s+async def (\w+)\(")
_PINS = re.compile(r"ImagePinLedger\(tables\.table\(\"(\w+)\"\)\)")
_FUNCTION = re.compile(r"/functions/(\w+)$")


def check(files: Mapping[str, BicepFile], root: Path) -> Iterator[Finding]:
    """``files``: by their names below ``infra/``; ``root``: of the project."""
    code = "\n".join(
        path.read_text(encoding="utf-8")
        for path in (*(root / "function_app/triggers").glob("*.py"), root / "shared/clients/service_bus.py")
    )
    if MESSAGING in files:
        there = {str(each.body["name"]) for each in files[MESSAGING].resources if each.type in ENTITIES}
        yield from _both_ways(MESSAGING, there, set(_ENTITY.findall(code)), "the queue or topic")
    if EVENTS in files:
        bodies = [text for each in files[EVENTS].resources for text in texts(each.body)]
        told = {found[1] for text in bodies if (found := _FUNCTION.search(text))}
        yield from _both_ways(EVENTS, told, set(_EVENT_TRIGGER.findall(code)), "a subscription for")
        for each in files[EVENTS].resources:
            if each.type.endswith("/eventSubscriptions"):
                yield from _subscription(each, files.get(MESSAGING))
    if STORAGE in files:
        words = _PINS.findall((root / "shared/clients/ledger/__init__.py").read_text(encoding="utf-8"))
        made = {str(each.body["name"]) for each in files[STORAGE].resources if each.type == TABLES}
        yield from _both_ways(STORAGE, made, {f"${{{PREFIX}}}{word}" for word in words}, "the table")
    if MAIN in files:
        default, wanted = files[MAIN].defaults.get(PREFIX), LedgerSettings.model_fields["ledger_prefix"].default
        if default != wanted:
            yield Finding(MAIN, f"{PREFIX} is {default!r} unless somebody says otherwise, and {wanted!r} in the app")
        if _PREFIX_SETTING not in files[MAIN].outputs:
            yield Finding(MAIN, f"has no output {_PREFIX_SETTING}, which commands read where operators pin images")
    if SCHEDULER in files:
        hub = json.loads((root / "host.json").read_text(encoding="utf-8"))["extensions"]["durableTask"]["hubName"]
        made = {str(each.body["name"]) for each in files[SCHEDULER].resources if each.type.endswith("/taskHubs")}
        yield from _both_ways(SCHEDULER, made, {hub}, "the task hub")


def _subscription(subscription: Resource, topics: BicepFile | None) -> Iterator[Finding]:
    """Whether lost events are stored, for which its topic (named alike in both files) needs an identity; its filter."""
    if any(text.endswith("/functions/on_training_status") for text in texts(subscription.body)):
        yield from _ends(subscription)
    if "deadLetterWithResourceIdentity" not in subscription.body["properties"]:
        yield Finding(subscription.where, "must have deadLetterWithResourceIdentity: else lost events leave no trace")
    for topic in topics.resources if topics else ():
        if topic.name == subscription.scope and "identity" not in topic.body:
            yield Finding(topic.where, f"must have an identity, by which {subscription.where} stores lost events")


def _ends(subscription: Resource) -> Iterator[Finding]:
    """Whether it lets through the events that a run has ended, however it ended."""
    found = subscription.body["properties"].get("filter", {})
    if sorted(found.get("includedEventTypes", [])) != sorted(RUN_ENDED):
        yield Finding(subscription.where, f"must filter on the event types {' and '.join(RUN_ENDED)}, and no other")
    if found.get("advancedFilters"):
        what = "must not filter on fields: RunCompleted has no status, and that of the other is spelt in two ways"
        yield Finding(subscription.where, what)


def _both_ways(file: str, there: set[str], wanted: set[str], what: str) -> Iterator[Finding]:
    for name in sorted(there - wanted):
        yield Finding(file, f"makes {what} {name}, which the app does not know; remove it, or correct its name")
    for name in sorted(wanted - there):
        yield Finding(file, f"does not make {what} {name}, which the app needs; add it")
