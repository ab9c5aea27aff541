"""Errors become problem documents, with a status that says who has to do something."""

import asyncio
import json

import azure.functions as func
import pytest

from function_app.problems import BadFieldError, RefusedError, answers_problems, problem_of
from shared.errors import Code, PermanentError, TransientError
from tests.support.api import text_of


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (PermanentError("there is none", code=Code.UNKNOWN_PIPELINE), 404),
        (PermanentError("bad", code=Code.BAD_REQUEST), 400),
        (PermanentError("odd", code=Code.MODEL_MISSING), 422),
        (TransientError("tables are down"), 503),
    ],
)
def test_errors_become_problem_documents(error: PermanentError | TransientError, status: int) -> None:
    response = problem_of(error)

    assert (response.status_code, response.mimetype) == (status, "application/problem+json")
    assert json.loads(response.get_body())["detail"].startswith(str(error))


def answered(error: Exception) -> func.HttpResponse:
    @answers_problems
    async def handler() -> func.HttpResponse:
        raise error

    return asyncio.run(handler())


def test_a_bad_field_is_named() -> None:
    response = answered(BadFieldError("limit must be a whole number", field="limit"))

    assert (response.status_code, text_of(response)["field"]) == (400, "limit")


def test_a_refusal_has_its_own_status_and_code() -> None:
    response = answered(RefusedError(413, "too_large", "at most 8192 bytes are taken"))

    assert response.status_code == 413
    assert (text_of(response)["type"], text_of(response)["title"]) == ("urn:edgetrain:too_large", "too large")


def test_a_fault_of_ours_shows_a_number_and_no_more(caplog: pytest.LogCaptureFixture) -> None:
    response = answered(ZeroDivisionError("the secret"))

    said = text_of(response)
    assert response.status_code == 500
    assert "secret" not in json.dumps(said)
    incident = said["detail"].rpartition(" ")[2]
    assert f"incident {incident}" in caplog.text
