"""Pipelines, events and arrivals with sensible values; a test names only what it is about."""

from dataclasses import replace
from typing import Any

from shared.messages import Arrival, Outcome, RunRecord, first_record
from shared.pipelines import Pipeline
from tests.support.builders import a_run_request
from tests.support.workflow import START

EVALUATE = "python evaluate.py --model ${{inputs.model}} --holdout ${{inputs.holdout}} --out ${{outputs.evaluation}}"


def train_command(*parameters: str) -> str:
    """A command that uses these parameters."""
    options = "".join(f" --{name} ${{{{parameters.{name}}}}}" for name in parameters)
    return f"python train.py --data ${{{{inputs.data}}}} --model ${{{{outputs.model}}}}{options}"


def a_pipeline(
    name: str = "breast-cancer",
    *,
    parameters: dict[str, Any] | None = None,
    settle: dict[str, Any] | None = None,
    **data: Any,
) -> Pipeline:
    """``data`` changes the ``data`` part, ``settle`` the part of that name."""
    place = {"site": "factory", "container": "breast-cancer", "prefix": "landing/", "pattern": "*.csv"}
    return Pipeline.model_validate(
        {
            "name": name,
            "data": place | {"holdout": "holdout/holdout.csv", "columns": {"label": {"kind": "integer"}}} | data,
            "settle": {"quiet_seconds": 5, "longest_wait_seconds": 60} | (settle or {}),
            "train": {
                "folder": "breast_cancer",
                "compute": "hub-vm",
                "command": train_command(*(parameters or {})),
                "parameters": parameters or {},
            },
            "evaluate": {"command": EVALUATE},
            "judge": {"metric": "accuracy", "floor": 0.9},
            "deliver": {"model": name, "targets": [{"name": "hub-vm"}]},
        }
    )


def an_arrival(**changes: Any) -> Arrival:
    arrival = Arrival(
        event_id="event-1",
        account="hub",
        container="breast-cancer",
        blob="landing/part-1.csv",
        etag="0x8D1",
        size=1234,
        occurred_at=START,
        received_at=START,
        api="PutBlob",
    )
    return replace(arrival, **changes)


def a_blob_created(**changes: Any) -> dict[str, Any]:
    """An event in CloudEvents' names; None removes a field."""
    event = {
        "id": "event-1",
        "type": "Microsoft.Storage.BlobCreated",
        "source": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/hub",
        "subject": "/blobServices/default/containers/breast-cancer/blobs/landing/part-1.csv",
        "time": "2026-05-01T10:00:00.1234567Z",
        "data": {
            "api": "PutBlob",
            "eTag": '"0x8D1"',
            "contentLength": 1234,
            "contentType": "text/csv",
            "blobType": "BlockBlob",
            "url": "https://hub.blob.core.windows.net/breast-cancer/landing/part-1.csv",
        },
    } | changes
    return {name: value for name, value in event.items() if value is not None}


def a_run_record(**changes: Any) -> RunRecord:
    record = replace(first_record(a_run_request(), reason="the champion stays"), outcome=Outcome.NOT_PROMOTED)
    return replace(record, **changes)
