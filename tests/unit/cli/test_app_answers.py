"""What the command line reads of the app's answers is what the app sends."""

from contextlib import suppress
from dataclasses import fields, is_dataclass
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.client import ForeignAnswerError
from cli.client import answers as a
from cli.client import delivery_answers as d
from function_app.api import delivery_models as dm
from function_app.api import models as m
from shared.messages import ObservedRelease, PlannedRelease, Preview
from shared.values.wire import to_wire
from tests.support import app_answers as app

READ_FROM: dict[type[a.Answer], tuple[type[Any], ...]] = {
    a.Run: (m.RunView,),
    a.Runs: (m.RunsPage,),
    a.Started: (m.Accepted, Preview),
    a.Pipeline: (m.PipelineDetail, m.RemovedPipeline),
    a.Pipelines: (m.PipelineList,),
    a.Why: (m.Why,),
    a.Arrival: (m.ArrivalView,),
    d.Decided: (dm.Decided,),
    d.Decision: (dm.DecisionView,),
    d.Resumed: (dm.Resumed,),
    d.Action: (dm.ActionView,),
    d.Target: (dm.TargetView,),
    d.Targets: (dm.TargetList,),
    d.PlannedRelease: (PlannedRelease,),
    d.ObservedRelease: (ObservedRelease,),
    d.Model: (dm.ModelView,),
    d.Models: (dm.ModelList,),
    d.ModelVersion: (dm.ModelVersion,),
    d.Compared: (dm.Compared,),
    d.ComparedRun: (dm.ComparedRun,),
    d.FileChanges: (dm.FileChanges,),
}


def names(model: type[Any]) -> set[str]:
    return {part.name for part in fields(model)} if is_dataclass(model) else set(model.model_fields)


@pytest.mark.parametrize("view", READ_FROM, ids=lambda view: view.__name__)
def test_every_field_that_is_read_is_one_that_the_app_sends(view: type[a.Answer]) -> None:
    sent = set().union(*map(names, READ_FROM[view]))

    assert set(view.model_fields) <= sent


@pytest.mark.parametrize(
    "view", [a.Run, a.Runs, a.Started, a.Pipelines, a.Said, d.Decided, d.Resumed, d.Action, d.Targets, d.Models]
)
def test_an_empty_document_is_no_answer(view: type[a.Answer]) -> None:
    """What answers with status 200 need not be the app."""
    with pytest.raises(ForeignAnswerError):
        a.read(view, {}, "it")


def test_a_run_is_read_as_the_app_sends_it() -> None:
    run = a.read(a.Run, to_wire(app.promoted()), "it")

    assert (run.run_id, run.outcome, run.version, run.seconds) == (app.PROMOTED, "promoted", "7", 83.0)
    assert run.ended_at == app.NOW + timedelta(seconds=83)
    assert run.targets[0].endpoint == app.ENDPOINT
    assert run.comparison is not None
    assert run.comparison.rows == 114


def test_a_newer_app_is_read_too() -> None:
    document = to_wire(app.promoted()) | {"outcome": "parked", "stage": "soaking", "novel": {"field": 1}}

    assert a.read(a.Run, document, "it").outcome == "parked"


def test_what_acts_on_a_terminal_is_escaped_where_it_is_read() -> None:
    document = to_wire(app.failed()) | {"reason": "\x1b[2J\u202egone\nforged line", "run_id": "a\x07b"}

    run = a.read(a.Run, document, "it")

    assert run.reason.isprintable()
    assert run.run_id.isprintable()


def test_texts_and_lists_have_bounds() -> None:
    document = to_wire(app.failed()) | {"reason": "x" * 10**6, "metrics": {f"m{n}": 1.0 for n in range(10_000)}}

    run = a.read(a.Run, document, "it")

    assert len(run.reason) <= a.LONGEST_SENTENCE
    assert len(run.metrics) <= a.MOST


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.sampled_from(["run_id", "metrics", "targets", "progress", "since"]), inner)
        ),
    )
)
def test_whatever_is_sent_is_read_or_refused(document: Any) -> None:
    with suppress(ForeignAnswerError):
        assert a.read(a.Run, document, "it").run_id.isprintable()
