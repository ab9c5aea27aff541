"""Validate a request into its models; everything else is refused with the field's name and the remedy."""

import json
import re
from collections.abc import Mapping
from typing import TypeVar

import azure.functions as func
from pydantic import BaseModel, ValidationError

from function_app.api.fields import LONGEST_KEY
from function_app.problems import BadFieldError, RefusedError
from shared.values.fields import known_fields, trouble_in
from shared.values.json_text import UTF8_MARK, NotJsonError, read_json

Asked = TypeVar("Asked", bound=BaseModel)

LARGEST_BODY = 8 * 1024  # must fit into one value of the ledger's tables, in any script
IDEMPOTENCY_KEY = "Idempotency-Key"

_KEYS_OF_THE_HOST = frozenset({"code", "clientId"})  # the function key, and its name in API Management
_PRINTABLE = re.compile(rf"[\x20-\x7e]{{1,{LONGEST_KEY}}}")


def query_of(model: type[Asked], params: Mapping[str, str]) -> Asked:
    """The parameters of a request's address; raises :class:`BadFieldError`."""
    try:
        return model.model_validate({name: text for name, text in params.items() if name not in _KEYS_OF_THE_HOST})
    except ValidationError as error:
        raise _refusal(error, model, "query parameter ") from None


def body_of(model: type[Asked], body: bytes) -> Asked:
    """The JSON object in a request's body; no body counts as an empty object. Raises :class:`BadFieldError`."""
    if len(body) > LARGEST_BODY:
        raise RefusedError(413, "too_large", f"the body has {len(body)} bytes, and at most {LARGEST_BODY} are taken")
    try:
        document = read_json(body) if body.removeprefix(UTF8_MARK).strip() else {}
        return model.model_validate_json(json.dumps(document))
    except NotJsonError as error:
        known = known_fields(model)
        sentence = f"the body is not JSON ({error}); send an object such as {{}}, or nothing; known fields: {known}"
        raise BadFieldError(str(error) if error.field else sentence, field=error.field or None) from None
    except ValidationError as error:
        raise _refusal(error, model, "") from None


def idempotency_key_of(req: func.HttpRequest) -> str | None:
    """The request's Idempotency-Key; raises :class:`BadFieldError`."""
    key: str | None = req.headers.get(IDEMPOTENCY_KEY)
    if key is not None and not _PRINTABLE.fullmatch(key):
        reason = (
            f"{IDEMPOTENCY_KEY} must have 1 to {LONGEST_KEY} printable ASCII characters; use a new one for each request"
        )
        raise BadFieldError(reason, field=IDEMPOTENCY_KEY)
    return key


def _refusal(error: ValidationError, model: type[BaseModel], kind: str) -> BadFieldError:
    """One sentence about the first invalid field."""
    trouble, field, sentence = trouble_in(error, model)
    known = known_fields(model)
    if trouble == "model_type":
        sentence = f"the body must be a JSON object; known fields: {known}"
    else:
        sentence = f"{kind}{sentence}"
    return BadFieldError(sentence, field=field or None)
