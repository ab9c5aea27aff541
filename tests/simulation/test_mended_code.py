"""A training that failed again and again, and the code that is mended: the whole app in one process."""

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from shared.messages import Cause, Outcome, Verdict
from tests.simulation.storage import BAD
from tests.simulation.world import World, world
from tests.support.arrivals import a_pipeline
from tests.support.jobs import a_job_tree

NAME = "breast-cancer"
PASS = timedelta(minutes=2)


def cycle(made: World, times: int) -> None:
    for _ in range(times):
        made.advance(PASS)
        made.watch()


@pytest.mark.parametrize("attempts", [1, 2])
def test_a_failed_or_quarantined_fingerprint_is_tried_again_with_mended_code(tmp_path: Path, attempts: int) -> None:
    folder = tmp_path / "pipelines"
    folder.mkdir()
    values = a_pipeline(NAME, container=NAME).model_dump(mode="json", exclude_none=True)
    values["train"] |= {"quarantine_after": 2}
    (folder / f"{NAME}.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    with world(folder) as made:
        code = made.services.__dict__["job_folders"] = SimpleNamespace(read=a_job_tree)
        made.upload(NAME, "holdout/holdout.csv")
        made.upload(NAME, "landing/part-1.csv", BAD)
        cycle(made, 8)
        for number in range(1, attempts):
            made.request(NAME, f"person-{number}")
            cycle(made, 8)
        failed = made.ledger.runs.list_runs([NAME]).items
        assert [run.outcome for run in failed] == [Outcome.FAILED] * attempts
        if attempts == 2:
            assert made.preview(NAME).verdict is Verdict.QUARANTINED

        cycle(made, 8)
        assert len(made.ledger.runs.list_runs([NAME]).items) == attempts  # nothing changed: nothing is tried

        code.read = lambda folder: a_job_tree(folder, files={"train.py": b"mended"})
        made.driver.spoiled = lambda _: False
        cycle(made, 8)

        mended, *before = made.ledger.runs.list_runs([NAME]).items
        assert tuple(before) == failed
        assert (mended.cause, mended.attempt, mended.outcome) == (Cause.CODE, 1, Outcome.NOT_PROMOTED)
        assert mended.fingerprint != failed[0].fingerprint
