"""The order is written by the app and read by the job on the VM, each with a description of its own."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.messages import (
    Column,
    ColumnKind,
    DataFormat,
    ModelFormat,
    Resources,
    TrainingOrder,
    Workload,
)
from shared.wire_contracts.job_order import order_text
from site_agent.job.order import Champion, parse_order
from tests.support.builders import a_training_order, a_workload

IMAGE = f"registry.example:5000/scoring/breast_cancer@sha256:{'ab' * 32}"
CHAMPION = f"registry.example:5000/models/breast-cancer@sha256:{'cd' * 32}"


def an_order(**changes: Any) -> TrainingOrder:
    usual: dict[str, Any] = {"parameters": {"alpha": 0.5, "deep": True}, "judged_metric": "log_loss"}
    return a_training_order(workload=a_workload(), **(usual | changes))


def text_of(order: TrainingOrder, workload: Workload | None = None) -> str:
    return order_text(order, workload or a_workload(), image=IMAGE, seconds=7200)


def test_the_job_reads_what_the_app_writes() -> None:
    workload = a_workload(resources=Resources(memory="512m", cpus=1.5, gpus=1, disk="2g"))

    read = parse_order(text_of(an_order(leave_out_faulty=True), workload))

    order = an_order()
    assert (read.run_id, read.pipeline, read.site) == (order.run_id, order.pipeline, order.snapshot.site)
    assert (read.container, read.manifest) == (order.snapshot.container, order.snapshot.manifest)
    assert (read.manifest_container, read.image, read.seconds) == ("edgetrain-manifests", IMAGE, 7200)
    assert (read.train, read.evaluate) == (workload.train, workload.evaluate)
    assert (read.parameters, read.judged_metric) == (order.parameters, "log_loss")
    assert (read.resources.memory, read.resources.disk) == (512 << 20, 2 << 30)
    assert (read.resources.cpus, read.resources.gpus) == (1.5, 1)
    assert (read.data.format, read.data.leaves_out_faulty, read.model_format) == ("csv", True, "safe")
    assert read.data.columns["label"].values == (0, 1)
    assert read.champion is None
    assert read.level == 0.95
    assert parse_order(text_of(an_order(level=0.9))).level == 0.9


def test_the_champion_is_named_with_its_image() -> None:
    order = an_order(champion="breast-cancer-0000-1", champion_image=CHAMPION)

    assert parse_order(text_of(order)).champion == Champion(run_id="breast-cancer-0000-1", image=CHAMPION)


@pytest.mark.parametrize("named", [{"champion": "breast-cancer-0000-1"}, {"champion_image": CHAMPION}, {}])
def test_a_champion_without_an_image_cannot_be_measured(named: dict[str, str]) -> None:
    assert parse_order(text_of(an_order(**named))).champion is None


def test_the_same_order_is_the_same_text_without_rows_or_secrets() -> None:
    text = text_of(an_order())

    assert text == text_of(an_order())
    assert set(json.loads(text)) == {
        "champion",
        "container",
        "data",
        "evaluate",
        "image",
        "judged_metric",
        "level",
        "manifest",
        "manifest_container",
        "model_format",
        "parameters",
        "pipeline",
        "resources",
        "run_id",
        "schema",
        "seconds",
        "site",
        "train",
    }


PRINTABLE = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=50)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=9)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53)
COLUMNS = st.one_of(
    st.builds(lambda nullable: Column(kind=ColumnKind.TEXT, nullable=nullable), st.booleans()),
    st.builds(
        lambda values: Column(kind=ColumnKind.TEXT, values=tuple(values)),
        st.lists(TEXTS, min_size=1, max_size=3),
    ),
    st.builds(lambda least: Column(kind=ColumnKind.NUMBER, least=least), NUMBERS),
    st.builds(lambda most: Column(kind=ColumnKind.DATE, most=most.isoformat()), st.dates()),
)
WORKLOADS = st.builds(
    Workload,
    train=PRINTABLE,
    evaluate=PRINTABLE,
    resources=st.builds(
        Resources,
        memory=st.sampled_from(["1m", "4g", "999999m"]),
        cpus=st.floats(0.01, 1024),
        gpus=st.integers(0, 64),
        disk=st.sampled_from(["1m", "20g"]),
    ),
    data_format=st.sampled_from(DataFormat),
    columns=st.dictionaries(PRINTABLE, COLUMNS, min_size=1, max_size=4),
    model_format=st.sampled_from(ModelFormat),
)


@given(workload=WORKLOADS, parameters=st.dictionaries(PRINTABLE, NUMBERS | TEXTS | st.booleans()))
def test_whatever_a_plan_holds_the_job_reads_it(workload: Workload, parameters: dict[str, Any]) -> None:
    read = parse_order(text_of(an_order(parameters=parameters), workload))

    assert (read.train, read.evaluate, read.parameters) == (workload.train, workload.evaluate, parameters)
    assert (read.data.format, read.model_format) == (workload.data_format, workload.model_format)
    for name, column in workload.columns.items():
        other = read.data.columns[name]
        assert (other.kind, other.nullable, other.values) == (column.kind, column.nullable, column.values)
        assert (other.least, other.most) == (column.least, column.most)
