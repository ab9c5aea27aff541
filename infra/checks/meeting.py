"""Names by which Azure and the app meet: queues, topics, functions that events go to, the hub of orchestrations."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from infra.checks.bicep import BicepFile, Resource, texts
from infra.checks.findings import Finding
from shared.clients.azure_ml.statuses import ENDS
from shared.settings import LedgerSettings

MESSAGING, SCHEDULER, EVENTS = "modules/messaging.bicep", "modules/scheduler.bicep", "after-code.bicep"
STORAGE, TABLES = "modules/storage.bicep", "Microsoft.Storage/storageAccounts/tableServices/tables"
ENTITIES = ("Microsoft.ServiceBus/namespaces/queues", "Microsoft.ServiceBus/namespaces/topics")
RUN_CHANGED = "Microsoft.MachineLearningServices.RunStatusChanged"
ENDED = ("StringIn", "data.runStatus")
"""https://learn.microsoft.com/azure/event-grid/event-schema-machine-learning"""

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
            if any(text.endswith("/functions/on_training_status") for text in texts(each.body)):
                yield from _ends(each)
    if STORAGE in files:
        words = _PINS.findall((root / "shared/clients/ledger/__init__.py").read_text(encoding="utf-8"))
        made = {str(each.body["name"]) for each in files[STORAGE].resources if each.type == TABLES}
        prefix = LedgerSettings.model_fields["ledger_prefix"].default
        yield from _both_ways(STORAGE, made, {f"{prefix}{word}" for word in words}, "the table")
    if SCHEDULER in files:
        hub = json.loads((root / "host.json").read_text(encoding="utf-8"))["extensions"]["durableTask"]["hubName"]
        made = {str(each.body["name"]) for each in files[SCHEDULER].resources if each.type.endswith("/taskHubs")}
        yield from _both_ways(SCHEDULER, made, {hub}, "the task hub")


def _ends(subscription: Resource) -> Iterator[Finding]:
    """Whether it lets through the event that a run has ended, of every kind, and no other."""
    found = subscription.body["properties"].get("filter", {})
    if found.get("includedEventTypes") != [RUN_CHANGED]:
        yield Finding(subscription.where, f"must filter on the event type {RUN_CHANGED}, and no other")
    filters = {(each.get("operatorType"), each.get("key")): each for each in found.get("advancedFilters", [])}
    values = filters.get(ENDED, {}).get("values", [])
    if len(filters) != 1 or set(values) != ENDS:
        wanted = f"{ENDED[1]} {ENDED[0]} {', '.join(sorted(ENDS))}"
        yield Finding(subscription.where, f"must filter on the end of a run, and on nothing else: {wanted}")


def _both_ways(file: str, there: set[str], wanted: set[str], what: str) -> Iterator[Finding]:
    for name in sorted(there - wanted):
        yield Finding(file, f"makes {what} {name}, which the app does not know; remove it, or correct its name")
    for name in sorted(wanted - there):
        yield Finding(file, f"does not make {what} {name}, which the app needs; add it")
