"""What comes over the wire is held against the manifest: cut or altered, it is asked for again, never trained on."""

import hashlib
import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.integration.training_driver import hub as hubs
from tests.integration.training_driver.jobs import DATA, Job, hub_reader
from tests.support.spoiled_hub import Answer, SpoiledHub, altered, broken_off, html, shortened, spoiled_hub

PART = "landing/part-1.csv"
TRIES = 1 + len(hub_reader.PAUSES)
SPOILED = [
    pytest.param(shortened, "sent 10883 of 21767 bytes", id="short"),
    pytest.param(altered, "does not match the MD5", id="altered"),
    pytest.param(html, "not from the hub's storage", id="a web page"),
    pytest.param(partial(html, status=404), "(404)", id="a page, 404"),
]


@pytest.fixture
def door(job: Job, hub: str, tmp_path: Path, no_pauses: None) -> Iterator[SpoiledHub]:
    job.put(DATA.first)
    with spoiled_hub(hub) as door:
        hubs.give_credentials(tmp_path, door.connection_string)
        yield door


@pytest.mark.parametrize(("spoil", "expected"), SPOILED)
def test_a_spoiled_answer_is_asked_for_again(
    job: Job, door: SpoiledHub, spoil: Callable[[Answer], Answer], expected: str, capfd: pytest.CaptureFixture[str]
) -> None:
    door.times(PART, spoil, count=2)

    assert job.start(job.snapshot()) == 0

    assert "landing/part-1.csv: 100 rows, 21767 bytes" in capfd.readouterr().out
    assert job.left_out == []
    assert door.asked_for(PART) == 3


@pytest.mark.parametrize(("spoil", "expected"), SPOILED)
def test_a_hub_that_goes_on_spoiling_is_named_as_such(
    job: Job, door: SpoiledHub, spoil: Callable[[Answer], Answer], expected: str, tmp_path: Path
) -> None:
    door.times(PART, spoil, count=100)

    assert job.start(job.snapshot()) == 1

    assert expected in job.failure
    assert job.failure.startswith(f"{PART}: ")
    assert job.failure.endswith(f"(tried {TRIES} times)")
    assert job.kind == "outside"
    assert not (tmp_path / "outputs").exists()


def test_an_answer_that_breaks_off_is_asked_for_again(job: Job, door: SpoiledHub) -> None:
    door.times(PART, broken_off, count=1)

    assert job.start(job.snapshot()) == 0

    assert door.asked_for(PART) == 2


@pytest.mark.parametrize("spoil", [shortened, html])
def test_a_spoiled_manifest_is_asked_for_again(job: Job, door: SpoiledHub, spoil: Callable[[Answer], Answer]) -> None:
    snapshot = job.snapshot()
    door.times(snapshot.manifest, spoil, count=2)

    assert job.start(snapshot) == 0

    assert door.asked_for(snapshot.manifest) == 3


def test_a_fault_in_what_was_altered_on_the_way_is_not_the_files(job: Job, door: SpoiledHub) -> None:
    def garbled(answer: Answer) -> Answer:
        return Answer(answer.status, answer.headers, b"x" * len(answer.body))

    door.times(PART, garbled, count=1)

    assert job.start(job.snapshot()) == 0

    assert job.left_out == []


def test_what_the_job_leaves_can_be_checked_by_who_downloads_it(job: Job, tmp_path: Path) -> None:
    job.put(DATA.first)
    job.start(job.snapshot())

    outputs = tmp_path / "outputs"
    sums = json.loads((outputs / "checksums.json").read_text())

    assert sums.keys() == {"metrics.json", "model/model.joblib", "model/smoke.json"}
    for name, sum_of_it in sums.items():
        content = (outputs / name).read_bytes()
        assert sum_of_it == {"size": len(content), "md5": hashlib.md5(content, usedforsecurity=False).hexdigest()}
