"""What the HTTP API says to people: problem documents, and the sentences of its answers."""

import asyncio
from typing import Any

import azure.functions as func
import pytest

from function_app.api.starts import admission_answer
from function_app.problems import RefusedError, answers_problems, problem_of
from shared.access_settings import AccessSettings
from shared.errors import TransientError
from shared.messages import Verdict
from tests.support.access import PEOPLE, ROLES, by_key, signed_in
from tests.support.api import MemoryServices, a_request, response_to, text_of
from tests.support.arrivals import a_run_record, an_arrival
from tests.support.golden import compare
from tests.support.ledger_arrivals import join
from tests.unit.function_app.api.test_lists import PIPELINE, a_quarantine

RUN = "breast-cancer-abababababab-1"


def responded(name: str, request: func.HttpRequest, services: MemoryServices) -> func.HttpResponse:
    async def respond() -> func.HttpResponse:
        return await asyncio.to_thread(response_to, name, request, services)

    return asyncio.run(answers_problems(respond)())


def starting(admission: dict[str, str]) -> str:
    """The answer to a start whose request shows this."""
    with pytest.raises(RefusedError) as refused:
        admission_answer(admission)
    return f"{refused.value.status}: {refused.value.reason}"


def said(response: func.HttpResponse) -> str:
    body = text_of(response)
    return f"{response.status_code}: {body.get('detail') or body['sentence']}"


def test_http_problems() -> None:
    services = MemoryServices()
    services.ledger.quarantines.put(a_quarantine())
    services.ledger.runs.record_run(a_run_record(run_id=RUN, outcome=None))

    def ask(name: str, **request: Any) -> str:
        return said(responded(name, a_request(**request), services))

    cases = {
        "an unknown run": ask("get_run", path="no-such-run"),
        "an unknown pipeline": ask("get_pipeline", path="no-such-pipeline"),
        "an unknown query parameter": ask("list_runs", colour="red"),
        "a limit that is not a number": ask("list_runs", limit="many"),
        "a limit that is too high": ask("list_runs", limit="5000"),
        "a time that cannot be read": ask("list_runs", since="yesterday"),
        "a day that does not exist": ask("list_runs", since="2026-02-31"),
        "an unknown outcome": ask("list_runs", outcome="lost"),
        "a continuation of another list": ask("list_runs", continuation="x"),
        "why: no blob": ask("why", pipeline=PIPELINE),
        "a body that is not JSON": ask("start_run", method="POST", path=PIPELINE, body=b"please"),
        "a body that is not an object": ask("start_run", method="POST", path=PIPELINE, body=[1]),
        "a body that is too large": ask("start_run", method="POST", path=PIPELINE, body=b" " * 9000),
        "an unknown field": ask("start_run", method="POST", path=PIPELINE, body={"colour": "red"}),
        "a field of another type": ask("start_run", method="POST", path=PIPELINE, body={"force": "yes"}),
        "a parameter that is not declared": ask(
            "start_run", method="POST", path=PIPELINE, body={"parameters": {"depth": 3}}
        ),
        "an empty Idempotency-Key": ask("start_run", method="POST", path=PIPELINE, headers={"Idempotency-Key": ""}),
        "an unknown quarantine": ask("release", method="POST", path=PIPELINE, body={"fingerprint": "00" * 32}),
        "something does not answer": said(problem_of(TransientError("the ledger's table did not answer"))),
        "a request that could not be admitted": starting({"failed": "the ledger's table did not answer"}),
        "a request that is not admitted yet": starting({}),
        "a fault of the app": ask("get_run", path=RUN).partition("incident")[0] + "incident ...",
    }

    compare("http_problems", "Status and detail of problem documents.", cases)


def test_http_permissions() -> None:
    services = MemoryServices()

    def ask(name: str, settings: AccessSettings, headers: dict[str, str]) -> str:
        services.__dict__["access"] = settings
        return said(responded(name, a_request(headers=headers), services))

    cases = {
        "a key without the role": ask("approve_run", ROLES, by_key("operator")),
        "a key without a name": ask("list_runs", ROLES, {"x-functions-key": "unknown"}),
        "no key": ask("list_runs", ROLES, {}),
        "a person without the role": ask("start_run", PEOPLE, signed_in("reader", "approver")),
        "a person without roles": ask("start_run", PEOPLE, signed_in()),
        "a program without a name": ask("list_runs", PEOPLE, signed_in(name="")),
    }

    compare("http_permissions", "What who may not is told.", cases)


def test_http_sentences() -> None:
    services = MemoryServices()
    services.ledger.quarantines.put(a_quarantine())
    services.ledger.runs.record_run(a_run_record(run_id=RUN))
    window = join(services.ledger.arrivals, PIPELINE, an_arrival())
    listed = text_of(response_to("list_arrivals", a_request(path=PIPELINE), services))["arrivals"]
    assert listed[0]["verdict"] == Verdict.JOINED

    def ask(name: str) -> str:
        return said(responded(name, a_request("POST", path=PIPELINE if name == "release" else RUN), services))

    cases = {
        "released": ask("release"),
        "nothing to release": ask("release"),
        "cancelled, but it has ended": ask("cancel_run"),
        "an arrival without a verdict": listed[0]["reason"].replace(str(window.window_id), "(window)"),
    }

    compare("http_sentences", "Sentences in answers.", cases)
