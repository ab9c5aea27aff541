"""Retraining with Prefect: a trigger that debounces the hub's events, and an automation for runs that were killed."""

import os
import sys
from datetime import timedelta
from pathlib import Path

from prefect import flow, task
from prefect.automations import Automation
from prefect.cache_policies import INPUTS
from prefect.client.schemas.objects import StateType
from prefect.events import DeploymentEventTrigger
from prefect.events.actions import ChangeFlowRunState, RunDeployment
from prefect.events.schemas.automations import EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification

sys.path.insert(0, str(Path(__file__).parent.parent))
from retraining import digest_of, listing, retrain

WINDOW = timedelta(seconds=int(os.environ["WINDOW_SECONDS"]))
ENDS = {f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Cancelled", "Crashed")}


@task(cache_policy=INPUTS, persist_result=True)
def retrain_model(files: dict[str, str], version: str) -> dict[str, float]:
    """The same files are not trained on again: the result is cached by the inputs."""
    return retrain(files, version)


@flow
def retraining() -> None:
    """Train on what is there now."""
    files = listing()
    retrain_model(files, digest_of(files))


def watch_over_runs() -> None:
    """A run without a heartbeat has crashed, and is started again."""
    silent = EventTrigger(
        after={"prefect.flow-run.heartbeat"},
        expect={"prefect.flow-run.heartbeat", *ENDS},
        match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]}),
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=timedelta(seconds=90),
    )
    # Both are actions of one automation: one that waits for the run's event "Crashed" would get it a quarter of an hour
    # late when the server was killed too, for the server keeps in memory which events it has seen before.
    crash = ChangeFlowRunState(state=StateType.CRASHED, message="no heartbeat")
    actions = [crash, RunDeployment(source="inferred")]
    Automation(name="Start zombie flows again", trigger=silent, actions=actions).create()


if __name__ == "__main__":
    if "--first" in sys.argv:
        watch_over_runs()
    retraining.serve(
        name="retraining",
        limit=1,
        triggers=[
            DeploymentEventTrigger(
                match={"prefect.resource.id": "hub.container"},
                expect=["hub.blob.created"],
                posture=Posture.Reactive,
                threshold=1,
                within=WINDOW,
                schedule_after=WINDOW,
            )
        ],
    )
