from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import orchestration_ids
from shared.messages import FAIR_COMPARISON_SCHEMA, QUEUE_SCHEMA
from tests.support.builders import a_run_request

OWN = (
    orchestration_ids.compute_id,
    orchestration_ids.training_id,
    orchestration_ids.registration_id,
    orchestration_ids.image_id,
    orchestration_ids.finalization_id,
)
NAMES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?", fullmatch=True)
REQUEST = a_run_request(schema=FAIR_COMPARISON_SCHEMA)


@pytest.mark.parametrize("own", OWN, ids=lambda own: own.__name__)
def test_no_target_takes_the_id_of_another_child(own: Callable[[str], str]) -> None:
    taken = own(REQUEST.run_id)
    named_like_it = taken.removeprefix(f"{REQUEST.run_id}-")

    assert orchestration_ids.roll_out_id(REQUEST, named_like_it) != taken


@given(names=st.sets(NAMES, min_size=2, max_size=4), pipeline=NAMES)
def test_every_child_has_an_id_of_its_own_that_durable_functions_takes(names: set[str], pipeline: str) -> None:
    request = a_run_request(run_id=f"{pipeline}-{'ab' * 6}-12", pipeline=pipeline, schema=FAIR_COMPARISON_SCHEMA)

    ids = [orchestration_ids.roll_out_id(request, name) for name in names] + [own(request.run_id) for own in OWN]

    assert len(set(ids)) == len(ids)
    assert max(map(len, ids)) <= orchestration_ids.LONGEST


def test_runs_from_before_keep_the_ids_they_have() -> None:
    request = a_run_request(schema=QUEUE_SCHEMA)

    assert orchestration_ids.roll_out_id(request, "hub-vm") == f"{request.run_id}-hub-vm"
