"""Five thousand inputs that nobody can use, over HTTP, Event Grid and Service Bus: each is refused with its reason.

Nothing is answered with 500, and nothing is lost: events and messages leave a row or a copy that says what was wrong.
"""

import json
import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, Final

import pytest
import requests
from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusReceiver, ServiceBusSubQueue

from local_stack.app_client import AppClient, blob_created, deadline, land
from local_stack.supervisor import Stack
from local_stack.upstream_client import QUARANTINE, REQUESTS, RESULTS, SUBSCRIPTION
from tests.support import nonsense

SEED: Final = 5
CALLS: Final = 2400
EVENTS: Final = 1800
MESSAGES: Final = 800
AT_ONCE: Final = 8


@pytest.fixture(scope="module")
def chance() -> random.Random:
    return random.Random(SEED)


@pytest.fixture(scope="module")
def bus(stack: Stack) -> Iterator[ServiceBusClient]:
    with ServiceBusClient.from_connection_string(stack.endpoints["service_bus"]["connection_string"]) as client:
        yield client


def test_every_bad_call_is_refused_with_a_problem_document(stack: Stack, chance: random.Random) -> None:
    host = stack.endpoints["functions_host"]
    asked = list(islice(nonsense.calls(chance, "breast-cancer"), CALLS))

    with requests.Session() as session, ThreadPoolExecutor(AT_ONCE) as pool:
        session.headers["x-functions-key"] = host["function_key"]
        answers = list(pool.map(lambda call: send(session, host["url"], call), asked))

    refused = Counter(answer.status_code for answer in answers)
    wrong = [
        (call, answer.status_code, answer.text[:200])
        for call, answer in zip(asked, answers, strict=True)
        if not is_a_refusal(answer)
    ]
    assert not wrong, wrong[:5]
    assert len(refused) >= 2, "several kinds of refusals"
    assert sum(refused.values()) == CALLS


def test_every_bad_event_is_taken_and_keeps_a_row_with_its_reason(
    stack: Stack, app: AppClient, chance: random.Random
) -> None:
    blob = land(stack.endpoints, "breast-cancer", "elsewhere/fuzz.csv", b"a\n")
    good = blob_created(stack.endpoints, blob)
    events = [nonsense.event(chance, good, number) for number in range(EVENTS)]
    before = len(rejected(app))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        statuses = Counter(pool.map(app.deliver, events))
    after = rejected(app)

    assert statuses == {202: EVENTS}
    assert len(after) - before == EVENTS
    assert all(entry["reason"].startswith("event: ") for entry in after)


def test_every_bad_message_is_answered_and_quarantined_with_its_reason(
    stack: Stack, bus: ServiceBusClient, chance: random.Random
) -> None:
    sent = {f"nonsense-{number}": nonsense.body(chance) for number in range(MESSAGES)}
    with bus.get_queue_sender(REQUESTS) as sender:
        for message_id, content in sent.items():
            sender.send_messages(ServiceBusMessage(content, message_id=message_id))

    with bus.get_subscription_receiver(RESULTS, SUBSCRIPTION) as results:
        answers = {message.correlation_id: json.loads(b"".join(message.body)) for message in taken(results, set(sent))}
    with bus.get_queue_receiver(QUARANTINE) as quarantine:
        copies = {str(message.message_id): message for message in peeked(quarantine)}

    assert {answer["kind"] for answer in answers.values()} == {"rejected"}
    assert all(answer["reason"].strip() for answer in answers.values())
    aside = {key: copies[key] for key in copies if key in sent or key.removesuffix("-quarantined") in sent}
    assert len(aside) == MESSAGES, "each has a copy"
    bodies = {b"".join(message.body) for message in aside.values()}
    assert bodies == set(sent.values()), "byte for byte"
    with bus.get_queue_receiver(REQUESTS, sub_queue=ServiceBusSubQueue.DEAD_LETTER) as buried:
        assert not buried.peek_messages(1, sequence_number=1)
    with bus.get_queue_receiver(REQUESTS) as left:
        for _ in deadline(120, "the end of all requests"):
            if not left.peek_messages(1, sequence_number=1):
                break


def test_the_host_reported_no_fault_of_its_own(stack: Stack, app: AppClient) -> None:
    assert app.get("/api/health").status_code == 200
    log = (stack.state / "logs" / "functions_host.log").read_text(encoding="utf-8")
    assert "incident" not in log


def send(session: requests.Session, url: str, call: nonsense.Call) -> requests.Response:
    return session.request(
        call.method, url + call.path, params=dict(call.query), headers=dict(call.headers), data=call.body, timeout=60
    )


def is_a_refusal(answer: requests.Response) -> bool:
    """A problem document with a sentence, and no traceback."""
    if not 400 <= answer.status_code < 500 or answer.headers.get("Content-Type") != "application/problem+json":
        return False
    return bool(answer.json()["detail"].strip()) and "Traceback" not in answer.text


def rejected(app: AppClient) -> list[dict[str, Any]]:
    """All events that were not understood, page by page."""
    found: list[dict[str, Any]] = []
    page: dict[str, str] = {"kind": "rejected", "limit": "100"}
    while True:
        answer = app.get("/api/arrivals", **page)
        answer.raise_for_status()
        found += answer.json()["rejected"]
        if not answer.json()["continuation"]:
            return found
        page["continuation"] = answer.json()["continuation"]


def taken(receiver: ServiceBusReceiver, wanted: set[str]) -> Iterator[Any]:
    """The answers to all that was sent, as they come."""
    missing = set(wanted)
    for _ in deadline(1500, f"{len(wanted)} answers", pause=0):
        for message in receiver.receive_messages(max_message_count=200, max_wait_time=2):
            receiver.complete_message(message)
            if message.correlation_id in missing:
                missing.discard(message.correlation_id)
                yield message
        if not missing:
            return


def peeked(receiver: ServiceBusReceiver) -> Iterator[Any]:
    first = 1
    while messages := receiver.peek_messages(250, sequence_number=first):
        yield from messages
        first = (messages[-1].sequence_number or 0) + 1
