"""What each folder's programs do with the story of its data: train, evaluate and score, as a run calls them."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from local_stack.demo_data import DataStory, diabetes_story, scans_story
from tests.support.training_folders import Evaluated, Programs, programs, sample_of

STORIES: dict[str, Callable[[], DataStory]] = {"diabetes": diabetes_story, "scans": scans_story}


class Told:
    """A folder's programs after the three drops, each trained on with those before it."""

    def __init__(self, folder: str, code: Programs) -> None:
        self.folder = folder
        self.data = STORIES[folder]()
        self.code = code
        drops = [self.data.first, self.data.second, self.data.bad]
        self.models = [code.fit(*drops[: number + 1], name=f"model-{number}") for number in range(3)]
        self.found: list[Evaluated] = [code.measure(model, self.data) for model in self.models]


@pytest.fixture(scope="module", params=sorted(STORIES))
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    with programs(request.param, tmp_path_factory.mktemp(request.param)) as code:
        yield Told(request.param, code)


def test_more_clean_data_helps_and_a_bad_batch_does_harm(told: Told) -> None:
    first, second, bad = (np.mean(found.losses) for found in told.found)

    assert second < first
    assert bad > 1.05 * second


def test_the_mean_loss_is_one_of_the_metrics(told: Told) -> None:
    for found in told.found:
        assert any(np.isclose(np.mean(found.losses), value, rtol=1e-6) for value in found.metrics.values())
        assert len(found.rows) == len(told.data.holdout_truths)


def test_the_same_rows_give_the_same_model(told: Told) -> None:
    again = told.code.fit(told.data.first, name="again")

    files = {path.name: path.read_bytes() for path in again.iterdir()}
    assert files == {path.name: path.read_bytes() for path in told.models[0].iterdir()}
    assert len(files) == 1


def test_the_scoring_script_answers_with_the_model_that_was_evaluated(told: Told) -> None:
    answers = told.code.answers(told.models[1], told.data.holdout_request)["predictions"]
    truths = told.data.holdout_truths

    if told.folder == "diabetes":
        losses = np.abs(np.array(answers) - np.array(truths, dtype=float))
        assert losses.tolist() == pytest.approx(told.found[1].losses)
    else:
        assert np.mean([ours == truth for ours, truth in zip(answers, truths, strict=True)]) > 0.9
    assert told.code.answers(told.models[1], told.data.sample_request)["predictions"] == answers[:1]


def test_the_sample_is_a_request_that_is_answered_in_plain_json(told: Told) -> None:
    sample = sample_of(told.folder)
    answer = told.code.answers(told.models[1], sample)

    (entries,) = sample.values()
    assert len(json.loads(json.dumps(answer))["predictions"]) == len(entries) >= 2


def test_no_row_of_the_sample_is_in_the_data(told: Told) -> None:
    (entries,), (asked,) = sample_of(told.folder).values(), told.data.holdout_request.values()

    assert not [entry for entry in entries if entry in asked]


def test_the_slices_are_those_of_the_rows(told: Told) -> None:
    parts = [row[1] for row in told.found[0].rows]

    wanted: Any = told.data.holdout_truths
    if told.folder == "diabetes":
        wanted = [patient["sex"] for patient in told.data.holdout_request["patients"]]
    assert parts == list(wanted)


def test_files_outside_the_folders_of_the_classes_are_refused(tmp_path: Path) -> None:
    data = scans_story()
    content = next(iter(data.first.values()))
    with programs("scans", tmp_path) as code, pytest.raises(SystemExit, match="failed: there must be PNG files"):
        code.fit(data.first, {"landing/other/1.png": content})
