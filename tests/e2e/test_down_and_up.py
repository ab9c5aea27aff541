"""The whole stack goes down and comes up again, as after ``make down`` and ``make up``: what was known is known."""

from typing import Any

import pytest
import requests

from local_stack.app_client import Endpoints, app_client, blob_created, deadline, land
from local_stack.demo_data import breast_cancer_story
from local_stack.prepare import PreparationError, prepare
from local_stack.supervisor import Stack
from tests.support.azure_ml_view import models, trainings
from tests.support.scoring import share_right
from tests.support.stack import CACHE, state_folder

PIPELINE = "breast-cancer"
DATA = breast_cancer_story()
DELIVERED = {200, 202}


def test_everything_is_still_known_after_the_stack_was_down() -> None:
    with state_folder() as state:
        with Stack.start(state, cache=CACHE) as stack, app_client(stack.endpoints) as app:
            with pytest.raises(PreparationError, match="'nobody'") as caught:
                prepare(stack.endpoints, ["nobody", PIPELINE], cache=CACHE, progress=lambda _: None)
            assert PIPELINE not in str(caught.value).replace(f"known: {PIPELINE}", "")  # it is prepared all the same
            land(stack.endpoints, PIPELINE, DATA.holdout_name, DATA.holdout)
            landed = [land(stack.endpoints, PIPELINE, name, content) for name, content in DATA.first.items()]
            events = [blob_created(stack.endpoints, blob) for blob in landed]
            assert app.deliver(*events) in DELIVERED
            run = app.wait_for_outcome(app.wait_for_new_run(PIPELINE, set()))
            assert run["outcome"] == "promoted", run["reason"]
            endpoints, runs, trained = stack.endpoints, app.runs(PIPELINE), trainings(stack.endpoints)
            registered = registered_now(endpoints)

        with Stack.start(state, cache=CACHE) as stack, app_client(endpoints) as app:
            assert stack.endpoints == endpoints, "addresses, keys and passwords stay"
            assert app.deliver(*events) in DELIVERED
            assert app.post(f"/api/pipelines/{PIPELINE}/runs").json()["run_id"] == run["run_id"]
            assert app.runs(PIPELINE) == runs
            assert app.run(run["run_id"]) == run
            assert trainings(endpoints) == trained
            assert registered_now(endpoints) == registered
            for _ in deadline(300, "the container that served before"):
                if requests.get(endpoints["serving"][PIPELINE], timeout=30).status_code == 200:
                    break
            assert share_right(endpoints, DATA) > 0.9


def registered_now(endpoints: Endpoints) -> list[dict[str, Any]]:
    """The registered versions, without their stage: the reconciler writes that whenever it looks next."""
    found = models(endpoints, PIPELINE)
    assert found
    return [{**each, "tags": {key: tag for key, tag in each["tags"].items() if key != "stage"}} for each in found]
