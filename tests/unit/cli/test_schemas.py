"""``docs/schemas`` says what the app reads and writes: checked against the models, and against real documents."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from cli.schemas import DOCUMENTS, FOLDER, outdated, write
from shared.errors import PermanentError
from shared.messages import ReplyTo, RunEvent, RunEventKind, Stage
from shared.values.wire import to_wire
from shared.wire_contracts.run_events import SCHEMA, announcement
from shared.wire_contracts.training_answers import outcome_of, rejection
from shared.wire_contracts.training_requests import Envelope, request_from
from tests.support.arrivals import a_run_record
from tests.support.workflow import START

ROOT = Path(__file__).resolve().parents[3]
REPLY = ReplyTo(message_id="message-1")


def schema(name: str) -> Draft202012Validator:
    document = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    return Draft202012Validator(document, format_checker=Draft202012Validator.FORMAT_CHECKER)


REQUESTS = schema("training-request.json")


def test_the_files_are_current() -> None:
    assert outdated(FOLDER) == [], "run `make schemas`"


def test_a_change_of_a_file_is_noticed(tmp_path: Path) -> None:
    write(tmp_path)
    assert outdated(tmp_path) == []
    (tmp_path / "pipeline.json").write_text("{}\n", encoding="utf-8")
    (tmp_path / "of-no-model.json").write_text("{}\n", encoding="utf-8")

    assert outdated(tmp_path) == ["of-no-model.json", "pipeline.json"]


@pytest.mark.parametrize("file", [document.file for document in DOCUMENTS])
def test_each_is_a_schema_with_a_name(file: str) -> None:
    document = json.loads((FOLDER / file).read_text(encoding="utf-8"))

    Draft202012Validator.check_schema(document)
    assert document["$id"] == f"urn:edgetrain:schema:{file.removesuffix('.json')}:1"


def test_the_pipelines_of_the_repository_fit() -> None:
    for path in (ROOT / "pipelines").glob("*.yaml"):
        schema("pipeline.json").validate(yaml.safe_load(path.read_text(encoding="utf-8")))


def test_the_documented_request_fits_and_is_understood() -> None:
    (example,) = re.findall(r'^\{"schema".*\}$', (ROOT / "docs" / "triggers.md").read_text("utf-8"), re.MULTILINE)

    REQUESTS.validate(json.loads(example))
    assert request_from(Envelope(body=example.encode())).reply.correlation_id == "assay-17"


def test_answers_fit() -> None:
    record = a_run_record(metrics={"accuracy": 0.9}, ended_at=START, stage=Stage.DONE)

    schema("training-answer.json").validate(to_wire(outcome_of(REPLY, record)))
    schema("training-answer.json").validate(to_wire(rejection(REPLY, "", "no")))


@pytest.mark.parametrize("kind", list(RunEventKind))
def test_events_fit_and_name_their_schema(kind: RunEventKind) -> None:
    event = announcement(RunEvent(kind=kind, occurred_at=START, record=a_run_record(metrics={"accuracy": 0.9})))

    assert event.dataschema == SCHEMA  # which is the schema's name, see above
    schema("run-event.json").validate(event.data)


names = st.sampled_from(["a", "b", "c" * 100, "c" * 101, "\u00e4"])
scalars = st.none() | st.booleans() | st.integers(-(2**54), 2**54) | st.floats(allow_nan=False, allow_infinity=False)
# No schema tells a whole number that is too large from the same number with a fraction of .0.
parameters = st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.none()
texts = st.sampled_from(["", "lab/answers", "lab?sig=1", "x" * 256, "x" * 257, "x" * 501, "\u00e4"])
fields: dict[str, st.SearchStrategy[Any]] = {
    "pipeline": texts | scalars,
    "reason": texts | scalars,
    "parameters": st.dictionaries(names, parameters | texts | st.lists(scalars, max_size=1), max_size=3) | scalars,
    "force": scalars | texts,
    "correlation_id": texts | scalars,
    "reply_to": texts | scalars,
    "other": scalars,
    "schema": scalars | st.just(1.0) | texts,
}


@given(
    st.fixed_dictionaries({"schema": st.just(1), "pipeline": st.just("p")}), st.fixed_dictionaries({}, optional=fields)
)
def test_the_schema_takes_what_the_app_takes(least: dict[str, Any], changes: dict[str, Any]) -> None:
    body = least | changes

    try:
        request_from(Envelope(body=json.dumps(body).encode(), message_id="m"))
    except PermanentError:
        assert not REQUESTS.is_valid(body)
    else:
        assert REQUESTS.is_valid(body)
