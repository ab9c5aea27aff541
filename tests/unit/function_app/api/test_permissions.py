"""Who may call which operation: every operation of the table, by everybody there is."""

import asyncio
from dataclasses import dataclass, field

import azure.functions as func
import pytest

from function_app.api import handlers
from function_app.api.openapi import document
from function_app.api.operations import OPERATIONS, Operation
from function_app.composition import Services
from function_app.problems import RefusedError, answers_problems
from shared.access_settings import AccessSettings
from shared.decisions.access.roles import Role
from shared.errors import Code, PermanentError
from tests.support.access import (
    KEYS,
    NO_ROLES,
    PEOPLE,
    PEOPLE_WITHOUT,
    ROLE_CLAIM,
    ROLES,
    UNKNOWN_KEY,
    by_key,
    signed_in,
)
from tests.support.api import MemoryServices, a_request, text_of

READS, OPERATES, APPROVES = Role.READER, Role.OPERATOR, Role.APPROVER


EVERYTHING = frozenset({READS, OPERATES, APPROVES, None})
NOTHING = frozenset({None})


@dataclass(frozen=True)
class Caller:
    """Who asks, and the roles whose operations are open to him."""

    name: str
    settings: AccessSettings
    opens: frozenset[Role | None]
    headers: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)


CALLERS = (
    Caller("no roles: a named key", NO_ROLES, EVERYTHING, by_key("reader")),
    Caller("no roles: an unknown key", NO_ROLES, EVERYTHING, {"x-functions-key": UNKNOWN_KEY}),
    Caller("no roles: no key, on a laptop", NO_ROLES, EVERYTHING),
    Caller("no roles: a person", PEOPLE_WITHOUT, EVERYTHING, signed_in("somebody-elses")),
    Caller("a reader's key", ROLES, frozenset({READS, None}), by_key("reader")),
    Caller("an operator's key", ROLES, frozenset({READS, OPERATES, None}), by_key("operator")),
    Caller("an approver's key", ROLES, frozenset({READS, APPROVES, None}), by_key("approver")),
    Caller(
        "an approver's key in the address", ROLES, frozenset({READS, APPROVES, None}), params={"code": KEYS["approver"]}
    ),
    Caller(
        "the header's key counts", ROLES, NOTHING, {"x-functions-key": UNKNOWN_KEY}, params={"code": KEYS["approver"]}
    ),
    Caller("an unknown key", ROLES, NOTHING, {"x-functions-key": UNKNOWN_KEY}),
    Caller("no key", ROLES, NOTHING),
    Caller("a person's header, unproven", ROLES, NOTHING, signed_in("operator")),
    Caller("a person who reads", PEOPLE, frozenset({READS, None}), signed_in("reader")),
    Caller(
        "a person who operates",
        PEOPLE,
        frozenset({READS, OPERATES, None}),
        signed_in("operator", kind=ROLE_CLAIM),
    ),
    Caller("a person who approves", PEOPLE, frozenset({READS, APPROVES, None}), signed_in("approver", "else")),
    Caller("a person who does all", PEOPLE, EVERYTHING, signed_in("operator", "approver")),
    Caller("a person with strange roles", PEOPLE, NOTHING, signed_in("Operator", "admin", "*")),
    Caller("roles of another claim", PEOPLE, NOTHING, signed_in("operator", kind="name")),
    Caller("a person without roles", PEOPLE, NOTHING, signed_in() | by_key("operator")),
    Caller("a program without a name", PEOPLE, frozenset({READS, None}), signed_in("reader", name="")),
    Caller("roles in the directory alone", PEOPLE_WITHOUT, frozenset({READS, None}), signed_in("reader")),
)


class ReachedError(Exception):
    """The operation would have gone on to read the request."""


def asked(operation: Operation, caller: Caller, monkeypatch: pytest.MonkeyPatch) -> RefusedError | None:
    """The refusal; None when the request is read, which is as far as this goes."""

    def reached(_: Operation) -> None:
        raise ReachedError

    monkeypatch.setattr(handlers, "handler_of", reached)
    services = MemoryServices()
    services.__dict__["access"] = caller.settings
    request = a_request(operation.method, headers=caller.headers, path="x", **caller.params)
    try:
        asyncio.run(handlers.call(operation, request, services, None))
    except ReachedError:
        return None
    except RefusedError as error:
        return error
    raise AssertionError("it answered without its function")


@pytest.mark.parametrize("caller", CALLERS, ids=lambda caller: caller.name)
def test_every_operation_is_open_to_who_has_its_role_and_to_nobody_else(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = {known.name: asked(known, caller, monkeypatch) for known in OPERATIONS}

    assert {name for name, error in refused.items() if error is None} == {
        known.name for known in OPERATIONS if known.role in caller.opens
    }
    for known in OPERATIONS:
        error = refused[known.name]
        if error is not None:
            assert (error.status, error.code) == (403, "not_permitted")
            assert f"{known.name} needs the role {known.role}" in error.reason
            assert not any(key in error.reason for key in (*KEYS.values(), UNKNOWN_KEY))


def test_what_changes_something_needs_more_than_a_reader() -> None:
    for known in OPERATIONS:
        assert (known.role in {READS, None}) == (known.method == "GET" or known.name == "page_ticket"), known.name
    assert {known.name for known in OPERATIONS if known.role is APPROVES} == {"approve_run", "reject_run"}
    assert {known.name for known in OPERATIONS if known.role is None} == {"openapi", "health"}


def test_the_document_says_roles_and_refusals() -> None:
    shown = {each["operationId"]: each for methods in document()["paths"].values() for each in methods.values()}

    for known in OPERATIONS:
        assert ("403" in shown[known.name]["responses"]) == (known.role is not None)
        if known.role is not None:
            assert shown[known.name]["security"] == [{"function_key": [known.role.value]}]
            assert f"the role {known.role}" in shown[known.name]["responses"]["403"]["description"]


def test_a_refusal_is_a_problem_document_and_comes_before_the_body_is_read() -> None:
    services = MemoryServices()
    services.__dict__["access"] = ROLES
    request = a_request("POST", headers=by_key("reader"), path="x", body=b"no json")
    [known] = [each for each in OPERATIONS if each.name == "approve_run"]

    async def respond() -> func.HttpResponse:
        return await handlers.respond(known, request, services, None)

    response = asyncio.run(answers_problems(respond)())

    assert (response.status_code, response.mimetype) == (403, "application/problem+json")
    assert text_of(response)["type"] == "urn:edgetrain:not_permitted"


def test_settings_that_contradict_themselves_let_nobody_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGETRAIN_KEY_ROLES__OPS", "operator")
    request = a_request(headers={"x-functions-key": UNKNOWN_KEY})
    [known] = [each for each in OPERATIONS if each.name == "list_runs"]

    with pytest.raises(PermanentError, match="EDGETRAIN_KEY_NAMES__OPS") as refused:
        asyncio.run(handlers.call(known, request, Services(), None))

    assert refused.value.code is Code.BAD_CONFIGURATION
