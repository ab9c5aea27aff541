"""Alerts look for lines that the app writes, and for functions and queues that there are."""

import re
from collections.abc import Iterator
from pathlib import Path

from infra.checks.bicep import BicepFile, texts
from infra.checks.findings import Finding
from shared import alert_lines

_LINE = re.compile(r"\"(alert [\w-]+:)\"")
_LOST = tuple(
    (f"Microsoft.EventGrid/{topics}", metric)
    for topics in ("topics", "systemTopics")
    for metric in ("DroppedEventCount", "DeadLetteredCount")
)
"""An event that is given up counts as one of these: the second where it could be stored."""
_FUNCTION = re.compile(r"\bname == \"(\w+)\"")


def check(alerts: BicepFile, messaging: BicepFile, root: Path) -> Iterator[Finding]:
    """``alerts``, ``messaging``: the files with the alerts and with the queues; ``root``: of the project."""
    asked = [text for value in alerts.variables.values() for text in texts(value)]
    lines = {found for text in asked for found in _LINE.findall(text)}
    written = {each for each in vars(alert_lines).values() if isinstance(each, str) and each.startswith("alert ")}
    for line in sorted(lines - written):
        yield Finding(alerts.name, f"looks for {line!r}, which nothing writes; see shared/alert_lines.py")
    for line in sorted(written - lines):
        yield Finding(alerts.name, f"nobody is told of {line!r}, which the app writes; add a query")
    triggers = "".join(each.read_text(encoding="utf-8") for each in (root / "function_app/triggers").glob("*.py"))
    for name in sorted({found for text in asked for found in _FUNCTION.findall(text)}):
        if f"def {name}(" not in triggers:
            yield Finding(alerts.name, f"looks for the function {name}, which is not there")
    told = {(each["namespace"], each["metric"]) for each in alerts.variables.get("eventAlerts", ())}
    for kind, metric in sorted(set(_LOST) - told):
        yield Finding(alerts.name, f"nobody is told of {metric} of {kind}; add it to eventAlerts")
    for queue in sorted({text for text in asked if text.startswith("training-")}):
        if f"name: '{queue}'" not in messaging.source:
            yield Finding(alerts.name, f"looks at the queue {queue}, which is not there")
