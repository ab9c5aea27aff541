"""What each folder's programs do with the story of its data: train, evaluate and score, as a run calls them.

The story is the demo's: a first drop is promoted, so is more clean data, and a bad batch is not.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from local_stack.demo_data import scans_story
from local_stack.sample_data import STORIES
from shared.decisions.admission.run_plan import plan_of
from shared.decisions.promotion.judgement import Challenger, judge
from shared.messages import Champion
from shared.pipelines import Pipelines
from tests.support.jobs import A_FROZEN_JOB
from tests.support.training_folders import TRAINING, Evaluated, Programs, programs, sample_of

PIPELINES = Pipelines(TRAINING.parent / "pipelines")


class Told:
    """A pipeline's programs after the three drops, each trained on with those before it."""

    def __init__(self, name: str, code: Programs) -> None:
        self.pipeline = PIPELINES.get(name)
        self.data = STORIES[name]()
        self.code = code
        drops = [self.data.first, self.data.second, self.data.bad]
        self.models = [code.fit(*drops[: number + 1], name=f"model-{number}") for number in range(3)]
        self.found: list[Evaluated] = [code.measure(model, self.data) for model in self.models]

    def promoted(self, number: int, *, champion: int | None) -> bool:
        """Whether the model of a drop is promoted."""
        best = Champion(pipeline=self.pipeline.name)
        if champion is not None:
            metrics = self.found[champion].metrics
            best = Champion(
                pipeline=self.pipeline.name, run_id="run-c", metrics=metrics, holdout="rows", evaluator="code"
            )
        challenger = Challenger(run_id="run-n", metrics=self.found[number].metrics, holdout="rows", evaluator="code")
        return judge(plan_of(self.pipeline, A_FROZEN_JOB).rule, challenger, best).promoted


@pytest.fixture(scope="module", params=sorted(STORIES))
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Told:
    folder = PIPELINES.get(request.param).train.folder
    return Told(request.param, programs(folder, tmp_path_factory.mktemp(folder)))


def test_every_pipeline_is_valid_and_those_of_the_demo_are_there() -> None:
    assert STORIES.keys() <= {pipeline.name for pipeline in PIPELINES.all}
    assert not PIPELINES.broken


def test_clean_drops_are_promoted_and_a_bad_batch_is_not(told: Told) -> None:
    assert told.promoted(0, champion=None)
    assert told.promoted(1, champion=0)
    assert not told.promoted(2, champion=1)
    # The bad batch is bad by a distance, not by luck.
    assert np.mean(told.found[2].losses) > 1.08 * np.mean(told.found[1].losses)


def test_the_metric_that_decides_is_the_mean_loss(told: Told) -> None:
    for found in told.found:
        assert np.mean(found.losses) == pytest.approx(found.metrics[told.pipeline.judge.metric])
        assert len(found.rows) == len(told.data.holdout_truths)


def test_the_same_rows_give_the_same_model(told: Told) -> None:
    again = told.code.fit(told.data.first, name="again")

    files = {path.name: path.read_bytes() for path in again.iterdir()}
    assert files == {path.name: path.read_bytes() for path in told.models[0].iterdir()}
    assert len(files) == 1


def test_the_scoring_script_answers_with_the_model_that_was_evaluated(told: Told) -> None:
    answers = told.code.answers(told.models[1], told.data.holdout_request)["predictions"]
    truths = told.data.holdout_truths

    if told.pipeline.name == "diabetes":
        losses = np.abs(np.array(answers) - np.array(truths, dtype=float))
        assert losses.tolist() == pytest.approx(told.found[1].losses)
    else:
        assert np.mean([ours == truth for ours, truth in zip(answers, truths, strict=True)]) > 0.9
    assert told.code.answers(told.models[1], told.data.sample_request)["predictions"] == answers[:1]


def test_the_sample_is_a_request_that_is_answered_in_plain_json(told: Told) -> None:
    sample = sample_of(told.pipeline.train.folder)
    answer = told.code.answers(told.models[1], sample)

    (entries,) = sample.values()
    assert len(json.loads(json.dumps(answer))["predictions"]) == len(entries) >= 2


def test_no_row_of_the_sample_is_held_out(told: Told) -> None:
    (entries,), (asked,) = sample_of(told.pipeline.train.folder).values(), told.data.holdout_request.values()

    assert not [entry for entry in entries if entry in asked]


def test_the_slices_are_those_of_the_rows(told: Told) -> None:
    wanted: Any = [str(truth) for truth in told.data.holdout_truths]
    match told.pipeline.name:
        case "diabetes":
            wanted = [patient["sex"] for patient in told.data.holdout_request["patients"]]
        case "breast-cancer":
            wanted = ["benign" if truth else "malignant" for truth in told.data.holdout_truths]
        case "digits":
            wanted = [f"digit_{truth}" for truth in told.data.holdout_truths]

    assert [row[1] for row in told.found[0].rows] == wanted


def test_no_held_out_row_is_trained_on(told: Told) -> None:
    if told.data.holdout_name.endswith(".csv"):
        held_out = set(told.data.holdout.splitlines()[1:])
        rows = {row for text in (told.data.first | told.data.second).values() for row in text.splitlines()[1:]}
    else:
        held_out, rows = {told.data.holdout}, set((told.data.first | told.data.second).values())

    assert held_out.isdisjoint(rows)


def test_scans_outside_the_folders_of_the_classes_are_refused(tmp_path: Path) -> None:
    data = scans_story()
    content = next(iter(data.first.values()))
    code = programs("scans", tmp_path)
    with pytest.raises(SystemExit, match="failed: there must be PNG files"):
        code.fit(data.first, {"landing/other/1.png": content})


@pytest.mark.parametrize("name", ["breast-cancer", "digits"])
def test_the_declared_columns_are_those_that_the_programs_use(name: str, tmp_path: Path) -> None:
    pipeline = PIPELINES.get(name)
    columns = programs(pipeline.train.folder, tmp_path).train.COLUMNS

    assert [*columns.features, columns.label] == list(pipeline.data.columns)
    assert pipeline.data.columns[columns.label].values == columns.classes
