import json
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clients.azure_ml.reports import LEFT_OUT_TAG, left_out_in
from shared.messages import LeftOut
from shared.values.wire import to_text
from site_agent.job.cloud import left_out_tag
from tests.support.arrivals import a_run_record


@dataclass(frozen=True)
class Omission:
    why: str
    names: tuple[str, ...]


def test_the_job_writes_what_the_app_reads() -> None:
    tags = left_out_tag([Omission("changed", ("landing/a.csv", "landing/b.csv")), Omission("faulty", ())])

    assert left_out_in(tags) == (LeftOut(why="changed", count=2, first=("landing/a.csv", "landing/b.csv")),)
    assert left_out_in(left_out_tag([])) == ()


@pytest.mark.parametrize(
    "text", ["", "{", "{}", "[1]", "null", '[{"why": "x"}]', '[{"why": 1, "count": "a", "first": 5}]']
)
def test_what_cannot_be_understood_is_nothing(text: str) -> None:
    assert left_out_in({LEFT_OUT_TAG: text}) == ()
    assert left_out_in({}) == ()


values = st.recursive(
    st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)
entries = st.fixed_dictionaries(
    {"why": values, "count": st.integers() | values, "first": st.lists(st.text(max_size=3000)) | values}
)


@given(tag=st.lists(entries | values, max_size=30) | values)
def test_a_record_stays_small_whatever_a_job_writes(tag: Any) -> None:
    found = left_out_in({LEFT_OUT_TAG: json.dumps(tag)})

    assert len(to_text(a_run_record(left_out=found))) < 12_000
