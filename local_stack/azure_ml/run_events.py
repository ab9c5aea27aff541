"""What the service tells Event Grid of a run: that it was completed, or that it failed.

Source: the service's page "Azure Machine Learning as an Event Grid source" (types, subject, and the names of ``data``
as its examples spell them) and "Trigger applications based on Azure Machine Learning events", which says that
``RunStatusChanged`` is raised for failures only. So nothing is raised for a run that was cancelled.
"""

import asyncio
import json
import logging
import uuid
from pathlib import Path
from typing import Any, Final

import aiohttp

from local_stack.azure_ml.workspace import Workspace, now_text

log = logging.getLogger("azure_ml")

TOPIC: Final = "azure-ml"
"""The topic of the stand-in of Event Grid that the workspace's events go to."""
COMPLETED: Final = "Microsoft.MachineLearningServices.RunCompleted"
STATUS_CHANGED: Final = "Microsoft.MachineLearningServices.RunStatusChanged"
_PATIENCE: Final = 60  # tries, a second apart: as long as a restart of the stack takes
_TIMEOUT: Final = aiohttp.ClientTimeout(total=10)


class RunEvents:
    """Publishes the end of runs, one after the other. What is not published when the stand-in stops is lost."""

    def __init__(self, event_grid: Path) -> None:
        """``event_grid``: the ``endpoints.json`` of the stand-in that has the topic; it may start later."""
        self._event_grid = event_grid
        self._ended: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    def attach(self, workspace: Workspace) -> None:
        """Publish what ends from now on in ``workspace``."""
        workspace.on_ended = self._ended.put_nowait

    async def serve(self) -> None:
        """Until it is cancelled."""
        while True:
            event = event_of(await self._ended.get())
            if event is not None:
                await self._publish(event)

    async def _publish(self, event: dict[str, Any]) -> None:
        why = "the topic is not there"
        for _ in range(_PATIENCE):
            try:
                topic = json.loads(self._event_grid.read_text(encoding="utf-8"))["topics"][TOPIC]
                headers = {"aeg-sas-key": topic["key"]}
                async with (
                    aiohttp.ClientSession(timeout=_TIMEOUT, headers=headers, raise_for_status=True) as session,
                    session.post(topic["endpoint"], params={"api-version": "2018-01-01"}, json=[event]),
                ):
                    return
            except (OSError, ValueError, KeyError, aiohttp.ClientError, TimeoutError) as error:
                why = str(error) or type(error).__name__
            await asyncio.sleep(1)
        log.warning("Event Grid was not told of %s: %s", event["subject"], why)


def event_of(run: dict[str, Any]) -> dict[str, Any] | None:
    """The event about a run that has ended, in the Event Grid schema; None where the service raises none."""
    kind = {"Completed": COMPLETED, "Failed": STATUS_CHANGED}.get(run["status"])
    if kind is None:
        return None
    data = {
        "ExperimentId": run["experimentId"],
        "ExperimentName": run["experimentName"],
        "RunId": run["runId"],
        "RunType": run["runType"],
        "RunTags": run["tags"],
        "RunProperties": run["properties"],
    }
    return {
        "id": str(uuid.uuid4()),
        "subject": f"experiments/{run['experimentId']}/runs/{run['runId']}",
        "eventType": kind,
        "eventTime": now_text(),
        "dataVersion": "2",
        "data": data | ({"RunStatus": "failed"} if kind is STATUS_CHANGED else {}),
    }
