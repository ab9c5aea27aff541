"""Write the JSON Schemas of public files and messages from the models that the app itself uses.

``edgetrain schemas`` writes docs/schemas/, with ``--check`` it only checks that they are current. A unit test checks it
too, so that no model changes without its schema.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

from shared.pipelines import Pipeline
from shared.wire_contracts.action_events import SCHEMA as ACTION_EVENT_SCHEMA
from shared.wire_contracts.action_events import ActionEventData
from shared.wire_contracts.data_events import SCHEMA as DATA_EVENT_SCHEMA
from shared.wire_contracts.data_events import DataEventData
from shared.wire_contracts.run_events import SCHEMA as RUN_EVENT_SCHEMA
from shared.wire_contracts.run_events import RunEventData
from shared.wire_contracts.target_events import SCHEMA as TARGET_EVENT_SCHEMA
from shared.wire_contracts.target_events import TargetEventData
from shared.wire_contracts.training_answers import TrainingAnswer
from shared.wire_contracts.training_requests import TrainingRequest

FOLDER: Final = Path(__file__).resolve().parent.parent / "docs" / "schemas"
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True, slots=True)
class Document:
    """A schema: its file, its permanent name, and its model.

    ``mode``: ``validation`` for what we read, ``serialization`` for what we write.
    """

    file: str
    identifier: str
    model: type[Any]
    mode: JsonSchemaMode


DOCUMENTS: Final = (
    Document("pipeline.json", "urn:edgetrain:schema:pipeline:1", Pipeline, "validation"),
    Document("training-request.json", "urn:edgetrain:schema:training-request:1", TrainingRequest, "validation"),
    Document("training-answer.json", "urn:edgetrain:schema:training-answer:1", TrainingAnswer, "serialization"),
    Document("run-event.json", RUN_EVENT_SCHEMA, RunEventData, "serialization"),
    Document("target-event.json", TARGET_EVENT_SCHEMA, TargetEventData, "serialization"),
    Document("data-event.json", DATA_EVENT_SCHEMA, DataEventData, "serialization"),
    Document("action-event.json", ACTION_EVENT_SCHEMA, ActionEventData, "serialization"),
)


class _Schemas(GenerateJsonSchema):
    """Without a title per field, which only repeats its name; what we write always has all its fields."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - the hook's signature
        return False

    def field_is_required(self, field: Any, total: bool) -> bool:  # noqa: FBT001 - the hook's signature
        return self.mode == "serialization" or super().field_is_required(field, total)


def text_of(document: Document) -> str:
    """The schema as it stands in its file."""
    schema = TypeAdapter(document.model).json_schema(mode=document.mode, schema_generator=_Schemas)
    return json.dumps({"$schema": DIALECT, "$id": document.identifier} | schema, indent=2) + "\n"


def outdated(folder: Path) -> list[str]:
    """The files that differ from their models, and those without a model."""
    wanted = {document.file: text_of(document) for document in DOCUMENTS}
    there = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*")}
    return sorted(name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name))


def write(folder: Path) -> None:
    """Write the files, and remove those without a model."""
    folder.mkdir(parents=True, exist_ok=True)
    for document in DOCUMENTS:
        (folder / document.file).write_text(text_of(document), encoding="utf-8")
