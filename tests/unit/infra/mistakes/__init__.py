"""Mistakes for a copy of the infrastructure, each of another kind, and what must be said of it."""

from dataclasses import dataclass

MAIN, EVENTS, ALERTS = "main.bicep", "after-code.bicep", "modules/alerts.bicep"
APP, SECRETS, STORAGE = "modules/app.bicep", "modules/secrets.bicep", "modules/storage.bicep"
MESSAGING, REGISTRY = "modules/messaging.bicep", "modules/registry.bicep"
MONITORING, SERVING = "modules/monitoring.bicep", "modules/serving.bicep"
PARAMETERS = "main.parameters.json"


@dataclass(frozen=True)
class Mistake:
    """In ``file``, ``new`` for ``old``; found at ``where``, in words that have ``what`` in them."""

    kind: str
    file: str
    old: str
    new: str
    where: str
    what: str
