"""The names of a run's containers, by which also one without labels is known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from site_agent.job.engine import is_of, resource_name

RUNS = st.from_regex(r"[a-z0-9]{1,6}(-[a-z0-9]{1,6}){0,3}", fullmatch=True)
ROLES = ("train", "evaluate", "champion", "smoke", "guard")


@given(RUNS, RUNS, st.sampled_from(ROLES))
def test_a_name_is_of_its_run_and_of_no_other(run: str, other: str, role: str) -> None:
    name = resource_name(run, role)

    assert is_of(name, run)
    assert is_of(name, other) == (other == run)


@pytest.mark.parametrize(
    "name", ["edgetrain-job-run-1-", "edgetrain-job-run-1", "train", "edgetrain-job-run-1-2-train"]
)
def test_a_name_that_is_longer_or_shorter_is_of_another(name: str) -> None:
    assert not is_of(name, "run-1")
