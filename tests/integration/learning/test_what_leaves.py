"""The models of the shipped pipelines pass the egress guard: no training row is found in them."""

import json
from pathlib import Path
from typing import Any

import pytest

from local_stack.sample_data import STORIES
from shared.pipelines import Pipelines
from site_agent.job.guard.receipt import FAILED
from site_agent.job.guard.release import Produced, release
from site_agent.job.guard.samples import Reference
from tests.support.egress import FACTS, KEY, box_here
from tests.support.job_orders import POLICY, a_policy, parsed_order
from tests.support.training_folders import TRAINING, programs, sample_of

PIPELINES = Pipelines(TRAINING.parent / "pipelines")


@pytest.mark.parametrize("name", sorted(STORIES))
def test_a_shipped_model_may_leave(name: str, tmp_path: Path) -> None:
    story, pipeline = STORIES[name](), PIPELINES.get(name)
    code = programs(pipeline.train.folder, tmp_path)
    model = code.fit(story.first, story.second)
    code.measure(model, story)
    sample: Any = sample_of(pipeline.train.folder)
    smoke = {"request": sample, "response": code.answers(model, sample), "tolerance": 1e-6}

    receipt = release(
        Produced(model=model, evaluation=tmp_path / "model-evaluation", smoke=json.dumps(smoke).encode()),
        a_policy(POLICY),
        parsed_order(judged_metric=pipeline.judge.metric),
        Reference(folder=tmp_path / "model-data"),
        box_here,
        into=tmp_path / "outputs",
        facts=FACTS,
        key=KEY,
    )

    left = {path.relative_to(tmp_path / "outputs").as_posix() for path in (tmp_path / "outputs").rglob("*.*")}
    (file,) = [path.name for path in model.iterdir()]
    assert left >= {f"model/{file}", "model/smoke.json", "metrics.json", "receipt.json"}
    assert not [check for check in receipt.checks if check.result == FAILED]
    assert not receipt.held_back
