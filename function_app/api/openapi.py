"""The OpenAPI 3.1 document, generated from the table of operations, the functions' signatures and their models."""

import re
from functools import cache
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

from function_app.api.fields import LONGEST_KEY
from function_app.api.handlers import Handler, handler_of
from function_app.api.models import NothingAsked, Problem
from function_app.api.operations import OPERATIONS, Operation
from function_app.api.reading import IDEMPOTENCY_KEY, LARGEST_BODY
from function_app.problems import PROBLEM_TYPE

VERSION = "1.0.0"

_JSON = "application/json"
_REFERENCE = "#/components/schemas/{model}"
_EVERYWHERE = (500, 503)
_SCHEME = "function_key"
_ROLES = (
    "A function key. The names in an operation's security are the role that it needs, of the key or of the person that"
    " App Service authentication has let in: reader, operator or approver, of which the last two may read as well."
    " While the app's settings give roles to no key, a key needs none."
)
_MEANING = {
    400: "Something is wrong with the request; `field` names it",
    401: "The function key is missing or wrong",
    404: "It does not exist",
    409: "The present state does not allow it; the detail says what to do",
    413: f"The body has more than {LARGEST_BODY} bytes",
    422: f"The {IDEMPOTENCY_KEY} was used before, for another request",
    500: "The app failed; its log has the error under the incident in the detail",
    503: "Something the app needs does not answer; try again later",
}
_IN_THE_PATH = {
    "name": {"type": "string", "pattern": "^[a-z0-9-]{1,48}$", "description": "the pipeline's name"},
    "run_id": {"type": "string", "pattern": "^[a-z0-9-]{1,100}$", "description": "the run's id"},
    "target": {"type": "string", "pattern": "^[a-z0-9-]{1,48}$", "description": "the serving target's name"},
    "model": {"type": "string", "pattern": "^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,99}$", "description": "the model's name"},
    "version": {"type": "string", "pattern": "^[a-zA-Z0-9_.-]{1,100}$", "description": "the model's version"},
    "action_id": {"type": "string", "pattern": "^[a-z0-9-]{1,100}$", "description": "the action's id"},
}


class _Schemas(GenerateJsonSchema):
    """Without a title per field, which only repeats its name; what is answered always has all its fields."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - the hook's signature
        return False

    def field_is_required(self, field: Any, total: bool) -> bool:  # noqa: FBT001 - the hook's signature
        return self.mode == "serialization" or super().field_is_required(field, total)


def openapi() -> dict[str, Any]:
    """The operation that serves the document."""
    return document()


@cache
def document() -> dict[str, Any]:
    """The document. Built once and shared: do not change it."""
    described, components = _schemas()
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(f"/api/{operation.path}", {})[operation.method.lower()] = _operation(operation, described)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "edgetrain",
            "version": VERSION,
            "description": "Start runs, see runs, pipelines and arrivals, and ask why a file was trained or was not.",
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                _SCHEME: {
                    "type": "apiKey",
                    "in": "header",
                    "name": "x-functions-key",
                    "description": _ROLES,
                }
            },
        },
        "security": [{_SCHEME: []}],
    }


_Described = dict[tuple[type[Any], JsonSchemaMode], dict[str, Any]]


def _schemas() -> tuple[_Described, dict[str, Any]]:
    """The schemas of all models and of the models they refer to. Queries are inlined as single parameters."""
    wanted: dict[tuple[type[Any], JsonSchemaMode], None] = {(Problem, "serialization"): None}
    for operation in OPERATIONS:
        handler = handler_of(operation)
        wanted |= {(kind, "serialization"): None for kinds in handler.answers.values() for kind in kinds}
        if handler.body is not None:
            wanted[handler.body, "validation"] = None
    found, shared = TypeAdapter.json_schemas(
        [(key, key[1], TypeAdapter(key[0])) for key in wanted], ref_template=_REFERENCE, schema_generator=_Schemas
    )
    described: _Described = {key: schema for (key, _), schema in found.items()}
    components: dict[str, Any] = dict(shared["$defs"])
    for operation in OPERATIONS:
        model = handler_of(operation).query or NothingAsked
        query = model.model_json_schema(ref_template=_REFERENCE, schema_generator=_Schemas)
        components |= query.pop("$defs", {})
        described[model, "validation"] = query
    return described, components


def _operation(operation: Operation, described: _Described) -> dict[str, Any]:
    handler = handler_of(operation)
    shown: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": _parameters(operation, handler, described),
        "responses": {
            str(status): _answer(operation, handler, status, [described[kind, "serialization"] for kind in kinds])
            for status, kinds in handler.answers.items()
        }
        | _problems(operation, handler, described),
    }
    if handler.body is not None:
        schema = described[handler.body, "validation"]
        shown["requestBody"] = {"required": False, "content": {_JSON: {"schema": schema}}}
    if not operation.keyed:
        shown["security"] = []
    elif operation.role is not None:
        shown["security"] = [{_SCHEME: [operation.role.value]}]
    return shown


def _answer(operation: Operation, handler: Handler, status: int, schemas: list[dict[str, Any]]) -> dict[str, Any]:
    schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    shown: dict[str, Any] = {"description": operation.answers[status], "content": {_JSON: {"schema": schema}}}
    if "accept" in handler.takes:
        shown["content"]["text/html"] = {"schema": {"type": "string"}}
    return shown | ({"links": dict(operation.links)} if operation.links else {})


def _problems(operation: Operation, handler: Handler, described: _Described) -> dict[str, Any]:
    schema = described[Problem, "serialization"]
    follow = {
        400: operation.keyed,
        403: operation.role is not None,
        413: handler.body is not None,
        422: handler.idempotent,
    }
    may_be = {*operation.problems, *(status for status, follows in follow.items() if follows)}
    meaning = {**_MEANING, 403: f"Roles are configured, and who asks has not the role {operation.role}"}
    found: dict[str, Any] = {
        str(status): {"description": meaning[status], "content": {PROBLEM_TYPE: {"schema": schema}}}
        for status in (*sorted(may_be), *_EVERYWHERE)
    }
    return found | ({"401": {"description": _MEANING[401]}} if operation.keyed else {})


def _parameters(operation: Operation, handler: Handler, described: _Described) -> list[dict[str, Any]]:
    path = [
        {"name": name, "in": "path", "required": True, "schema": _IN_THE_PATH[name]}
        for name in re.findall(r"{(\w+)}", operation.path)
    ]
    query = described[handler.query or NothingAsked, "validation"]
    asked = [
        {"name": name, "in": "query", "required": name in query.get("required", ()), "schema": _given(schema)}
        for name, schema in query.get("properties", {}).items()
    ]
    key = {
        "name": IDEMPOTENCY_KEY,
        "in": "header",
        "required": False,
        "description": "a repetition with the same key is the same request",
        "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY, "pattern": "^[ -~]+$"},
    }
    return [*path, *asked, *([key] if handler.idempotent else [])]


def _given(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a parameter that is present: leaving a parameter out is not the same as null."""
    kept = {name: value for name, value in schema.items() if not (name == "default" and value is None)}
    choices = [choice for choice in kept.pop("anyOf", []) if choice != {"type": "null"}]
    return {**(choices[0] if len(choices) == 1 else {"anyOf": choices}), **kept} if choices else kept
