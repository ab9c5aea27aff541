"""The story that the demo tells, without the machinery: which drops are promoted, and why."""

import io
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from local_stack.demo_data import DataStory, breast_cancer_story, digits_story
from shared.decisions.admission.run_plan import plan_of
from shared.decisions.promotion.judgement import Challenger, judge
from shared.messages import Champion
from shared.pipelines import Pipelines
from tests.support.job_modules import TRAINING
from tests.support.jobs import A_FROZEN_JOB
from training.breast_cancer import score as breast_cancer_score
from training.breast_cancer import train as breast_cancer_train
from training.digits import score as digits_score
from training.digits import train as digits_train

PIPELINES = Pipelines(TRAINING.parent / "pipelines")
CASES = [
    pytest.param(breast_cancer_story, breast_cancer_train, breast_cancer_score, id="breast-cancer"),
    pytest.param(digits_story, digits_train, digits_score, id="digits"),
]


def arrays(*drops: Mapping[str, bytes]) -> tuple[Any, Any]:
    tables = [np.loadtxt(io.BytesIO(text), delimiter=",", skiprows=1) for drop in drops for text in drop.values()]
    table = np.concatenate(tables)
    return table[:, :-1], table[:, -1].astype(np.int64)


def train_on(train: ModuleType, data: DataStory, *drops: dict[str, bytes]) -> dict[str, float]:
    parameters = PIPELINES.get(data.pipeline).train.parameters
    train.check(parameters)
    model = train.fit(*arrays(*drops), parameters)
    metrics: dict[str, float] = train.evaluate(model, *arrays({"holdout": data.holdout}))
    return metrics


def test_both_pipelines_are_valid() -> None:
    assert {"breast-cancer", "digits"} <= {pipeline.name for pipeline in PIPELINES.all}
    assert not PIPELINES.broken


@pytest.mark.parametrize(("source", "train", "score"), CASES)
def test_clean_drops_are_promoted_and_shuffled_labels_are_not(
    source: Any, train: ModuleType, score: ModuleType
) -> None:
    data = source()
    rule = plan_of(PIPELINES.get(data.pipeline), A_FROZEN_JOB).rule

    first = train_on(train, data, data.first)
    second = train_on(train, data, data.first, data.second)
    bad = train_on(train, data, data.first, data.second, data.bad)

    assert judge(
        rule,
        Challenger(run_id="run-1", metrics=first, holdout="rows", evaluator="code"),
        Champion(pipeline=data.pipeline),
    ).promoted
    champion = Champion(pipeline=data.pipeline, run_id="run-1", metrics=first, holdout="rows", evaluator="code")
    assert judge(rule, Challenger(run_id="run-2", metrics=second, holdout="rows", evaluator="code"), champion).promoted
    champion = Champion(pipeline=data.pipeline, run_id="run-2", metrics=second, holdout="rows", evaluator="code")
    assert not judge(rule, Challenger(run_id="run-3", metrics=bad, holdout="rows", evaluator="code"), champion).promoted
    # The bad batch is bad by a distance, not by luck.
    assert bad["log_loss"] > 1.5 * second["log_loss"]


@pytest.mark.parametrize(("source", "train", "score"), CASES)
def test_the_same_rows_give_the_same_model(source: Any, train: ModuleType, score: ModuleType, tmp_path: Path) -> None:
    data = source()
    features, labels = arrays(data.first)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        train.save(train.fit(features, labels, {}), tmp_path / name)

    assert (tmp_path / "one/model.joblib").read_bytes() == (tmp_path / "two/model.joblib").read_bytes()


@pytest.mark.parametrize(("source", "train", "score"), CASES)
def test_the_scoring_script_answers_with_the_model_it_was_given(
    source: Any, train: ModuleType, score: ModuleType, tmp_path: Path
) -> None:
    data = source()
    train.save(train.fit(*arrays(data.first), {}), tmp_path)
    model = score.load(tmp_path)
    answers = score.answer(model, data.holdout_request)["predictions"]

    features, labels = arrays({"holdout": data.holdout})
    assert labels.tolist() == list(data.holdout_truths)
    assert answers == model.predict(features).tolist()
    assert np.mean(labels == answers) >= 0.9
    assert score.answer(model, data.sample_request)["predictions"] == answers[:1]


@pytest.mark.parametrize(("source", "train", "score"), CASES)
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"colour": "red"}, "'colour' .* inverse_regularisation, most_iterations"),
        ({"most_iterations": "many"}, "'most_iterations' .* above 0"),
        ({"inverse_regularisation": True}, "'inverse_regularisation' .* above 0"),
        ({"inverse_regularisation": 0}, "'inverse_regularisation' .* above 0"),
    ],
)
def test_a_parameter_that_fit_would_not_understand_is_named(
    source: Any, train: ModuleType, score: ModuleType, parameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        train.check(parameters)


def test_the_drops_share_no_row_with_the_hold_out() -> None:
    for data in (breast_cancer_story(), digits_story()):
        held_out = set(data.holdout.splitlines()[1:])
        for drop in (data.first, data.second):
            for text in drop.values():
                assert held_out.isdisjoint(text.splitlines()[1:])
