"""The configuration of the stack's Event Grid: its topics, and their subscriptions."""

from typing import Any, Final
from urllib.parse import urlencode

from local_stack.azure_ml import run_events
from local_stack.supervisor.blueprint import Blueprint

ANNOUNCEMENTS: Final = "announcements"
"""Where the app announces its runs."""
ARRIVALS: Final = "arrivals"
"""Where a site's agent tells of blobs that were written, because a hub raises no events itself."""
SUBSCRIPTION: Final = "data-arrival"
TRAINING_STATUS: Final = "training-status"
RETRY_SCALE: Final = 0.05
"""The first retry after half a second, where the service waits for ten: about as long as a restart of the host."""

_CONCURRENCY: Final = 64  # a burst reaches a function app in many requests at once
_BLOB_CREATED: Final = "Microsoft.Storage.BlobCreated"


def configuration(plan: Blueprint) -> dict[str, Any]:
    """The config file, see ``local_stack/event_grid/README.md``."""
    return {
        "topics": [
            {"name": ANNOUNCEMENTS, "inputSchema": "CloudEventSchemaV1_0"},
            {"name": ARRIVALS, "resourceId": storage_account_id(plan.hub.name)},
            {"name": run_events.TOPIC},
        ],
        "subscriptions": [
            {"name": SUBSCRIPTION, **data_arrival(webhook(plan.host_url, plan.credentials.webhook_key))},
            {
                "name": TRAINING_STATUS,
                "topic": run_events.TOPIC,
                "endpoint": webhook(plan.host_url, plan.credentials.webhook_key, "on_training_status"),
                "filter": {"includedEventTypes": [run_events.COMPLETED, run_events.STATUS_CHANGED]},
            },
        ],
    }


def data_arrival(endpoint: str, chaos: dict[str, Any] | None = None) -> dict[str, Any]:
    """The subscription of the app to what is written on the hub. ``chaos``: what goes wrong on purpose."""
    return {
        "topic": ARRIVALS,
        "endpoint": endpoint,
        "filter": {"includedEventTypes": [_BLOB_CREATED]},
        "chaos": chaos or {},
        "concurrency": _CONCURRENCY,
    }


def webhook(host_url: str, key: str, function: str = "on_data_arrival") -> str:
    """Where the host takes events for a function."""
    return f"{host_url}/runtime/webhooks/eventgrid?{urlencode({'functionName': function, 'code': key})}"


def storage_account_id(account: str) -> str:
    """The resource that blob events name as their topic."""
    return f"/subscriptions/hub/resourceGroups/hub/providers/Microsoft.Storage/storageAccounts/{account}"
