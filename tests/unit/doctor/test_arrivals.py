"""Subscriptions to new data: what keeps events away is named, and nothing is called wrong that may bring them."""

import fnmatch
import json
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from function_app.doctor.arrivals import CHECKS, FUNCTION, judged
from function_app.doctor.event_filters import lets_through
from local_stack.event_grid import models, rules
from shared.clients import event_subscriptions
from shared.clients.azure_ml.cloud import ResourceManager
from shared.clients.event_subscriptions import EventSubscription, EventSubscriptions, Filter, MayNotReadError
from shared.doctor import Kind, State, looks, run
from shared.errors import Code, PermanentError, TransientError
from shared.settings import AzureMl
from tests.support.answering import SIGN_IN, Answering, Reply, answering

TOPIC = "/subscriptions/s/resourceGroups/g/providers/Microsoft.EventGrid/topics/arrivals"
SUBJECT = "/blobServices/default/containers/"
OURS = f"/subscriptions/s/resourceGroups/g/providers/Microsoft.Web/sites/func-app/functions/{FUNCTION}"
AZURE_ML = AzureMl(subscription_id="s", resource_group="g", workspace="w")
CANARY = "zq-canary-token-zq"
BLOB_CREATED, BLOB_DELETED = "Microsoft.Storage.BlobCreated", "Microsoft.Storage.BlobDeleted"


def a_pipeline(container: str = "pumps", prefix: str = "landing/", pattern: str = "*.csv") -> Any:
    return SimpleNamespace(name=container, data=SimpleNamespace(container=container, prefix=prefix, pattern=pattern))


def a_function(resource_id: str = OURS) -> dict[str, Any]:
    return {"endpointType": "AzureFunction", "properties": {"resourceId": resource_id}}


def a_webhook(url: str) -> dict[str, Any]:
    return {"endpointType": "WebHook", "properties": {"endpointBaseUrl": url, "endpointUrl": None}}


def raw(name: str = "on-data-arrival", **changes: Any) -> dict[str, Any]:
    """As Azure Resource Manager shows it; what is not set comes as null."""
    usual = {
        "topic": TOPIC,
        "provisioningState": "Succeeded",
        "eventDeliverySchema": "CloudEventSchemaV1_0",
        "destination": a_function(),
        "deliveryWithResourceIdentity": None,
        "filter": {"includedEventTypes": [BLOB_CREATED], "subjectBeginsWith": "", "advancedFilters": None},
    }
    return {"id": f"{TOPIC}/x/{name}", "name": name, "properties": {**usual, **changes}}


def one(name: str = "on-data-arrival", **changes: Any) -> EventSubscription:
    return EventSubscription.model_validate(raw(name, **changes))


def asks(operator: str, key: str = "subject", **how: Any) -> dict[str, Any]:
    return {"advancedFilters": [{"operatorType": operator, "key": key, **how}]}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"filter": None},
        {"filter": {"includedEventTypes": None}},
        {"filter": {"includedEventTypes": ["All"]}},
        {"filter": {"includedEventTypes": [BLOB_DELETED, BLOB_CREATED]}},
        {"filter": {"subjectBeginsWith": SUBJECT}},
        {"filter": {"subjectBeginsWith": f"{SUBJECT}PUMPS/blobs/landing/2026", "subjectEndsWith": ".CSV"}},
        {"filter": asks("StringIn", "type", values=[BLOB_CREATED])},
        {"filter": asks("StringContains", values=["pumps"])},
        {"filter": asks("NumberGreaterThan", "data.contentLength", value=0)},
        {"filter": asks("StringNotBeginsWith", values=[f"{SUBJECT}valves/"])},
        {"destination": None, "deliveryWithResourceIdentity": {"destination": a_function()}},
        {"destination": a_function(OURS.upper())},
        {"destination": a_webhook("https://func-app.azurewebsites.net/runtime/webhooks/eventgrid")},
        {"eventDeliverySchema": "EventGridSchema"},
    ],
)
def test_what_may_bring_the_events_is_well(changes: dict[str, Any]) -> None:
    assert judged([one(**changes)], [a_pipeline()], app="func-app").state is State.OK


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"filter": {"includedEventTypes": [BLOB_DELETED]}}, "filter of types"),
        ({"filter": asks("StringIn", "eventType", values=[BLOB_DELETED])}, "filter of types"),
        ({"filter": asks("StringNotIn", "type", values=[BLOB_CREATED])}, "filter of types"),
        ({"filter": {"subjectBeginsWith": f"{SUBJECT}valves/"}}, "every pipeline"),
        ({"filter": {"subjectBeginsWith": f"{SUBJECT}PUMPS/", "isSubjectCaseSensitive": True}}, "every pipeline"),
        ({"filter": {"subjectEndsWith": ".parquet"}}, "every pipeline"),
        ({"filter": asks("StringBeginsWith", values=[f"{SUBJECT}valves/"])}, "every pipeline"),
        ({"filter": asks("StringNotContains", values=["/PUMPS/"])}, "every pipeline"),
        ({"filter": asks("IsNullOrUndefined")}, "every pipeline"),
        ({"eventDeliverySchema": "CustomInputSchema"}, "CustomInputSchema"),
        ({"provisioningState": "Failed"}, "Failed"),
        ({"provisioningState": "AwaitingManualAction"}, "AwaitingManualAction"),
        ({"destination": a_function(OURS.replace(FUNCTION, "on_training_status"))}, "none of 1"),
        ({"destination": a_function(OURS.replace("func-app", "func-other"))}, "none of 1"),
        ({"destination": a_webhook("https://elsewhere.example/hook")}, "none of 1"),
        ({"destination": {"endpointType": "StorageQueue", "properties": {"queueName": "q"}}}, "none of 1"),
    ],
)
def test_what_keeps_every_event_away_is_wrong(changes: dict[str, Any], said: str) -> None:
    seen = judged([one(**changes)], [a_pipeline()], app="func-app")

    assert seen.state is State.WRONG
    assert said in seen.found


def test_no_subscription_is_wrong_and_one_that_is_being_made_is_not_known_yet() -> None:
    assert judged([], [a_pipeline()]).state is State.WRONG
    assert judged([one(provisioningState="Creating")], [a_pipeline()]).state is State.UNKNOWN


def test_subscriptions_that_are_well_together_are_well_and_what_they_leave_out_is_named() -> None:
    pumps = one("pumps", filter={"subjectBeginsWith": f"{SUBJECT}pumps/"})
    broken = one("valves", filter={"subjectBeginsWith": f"{SUBJECT}valves/"}, provisioningState="Failed")
    both = [a_pipeline("pumps"), a_pipeline("valves")]

    assert judged([pumps, one("valves", filter={"subjectBeginsWith": f"{SUBJECT}valves/"})], both).state is State.OK
    seen = judged([pumps, broken], both)
    assert seen.state is State.UNKNOWN
    assert "valves" in seen.found
    assert "pumps passes" not in seen.found


PARTS = st.sampled_from(["pumps", "Pumps", "valves", "landing/", "a.csv", ".csv", ".CSV", "b", "/", "x.txt"])
TEXTS = st.lists(PARTS, max_size=3).map("".join)
BEGINS = st.one_of(st.just(""), TEXTS.map(lambda text: f"{SUBJECT}{text}"), TEXTS)


@given(BEGINS, TEXTS, st.booleans(), TEXTS, st.sampled_from(["*", "*.csv", "a?.csv", "*[ab].csv", "a.csv"]))
@example(f"{SUBJECT}pumps/blobs/l", "v", False, "landing/a.csv", "*.csv")
def test_a_filter_that_lets_an_event_of_the_pipeline_through_is_never_called_shut(
    begins: str, ends: str, sensitive: bool, blob: str, pattern: str
) -> None:
    pipeline = a_pipeline(prefix="", pattern=pattern)
    subject = f"{SUBJECT}pumps/blobs/{blob}"
    how = {"subjectBeginsWith": begins, "subjectEndsWith": ends, "isSubjectCaseSensitive": sensitive}

    passes = rules.matches(models.Filter.model_validate(how), event_type=BLOB_CREATED, subject=subject)

    if passes and fnmatch.fnmatchcase(blob, pattern):
        assert lets_through(Filter.model_validate(how), pipeline)


@pytest.fixture
def arm(monkeypatch: pytest.MonkeyPatch) -> Any:
    with answering() as server:
        monkeypatch.setattr(event_subscriptions, "resource_manager", lambda _: ResourceManager(url=server.url))
        yield server


def the_client() -> EventSubscriptions:
    credential: Any = SimpleNamespace(get_token=lambda _: SimpleNamespace(token=CANARY))
    return EventSubscriptions(AZURE_ML, lambda _: credential)


def says(value: Any, status: int = 200) -> Reply:
    return Reply(status, json.dumps(value).encode())


def test_all_pages_are_read_as_an_extension_of_the_topic(arm: Answering) -> None:
    more = f"{arm.url}/more"
    pages = {True: says({"value": [raw("b")]}), False: says({"value": [raw("a")], "nextLink": more})}
    arm.answer = lambda _, path: pages[path == "/more"]

    assert [each.name for each in the_client().of(TOPIC)] == ["a", "b"]
    assert arm.asked[0] == f"GET {TOPIC}/providers/Microsoft.EventGrid/eventSubscriptions?api-version=2025-02-15"
    assert arm.sent[0][0]["authorization"] == f"Bearer {CANARY}"


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (says({"error": {"code": "AuthorizationFailed"}}, 403), MayNotReadError),
        (says({"error": {"code": "ResourceNotFound"}}, 404), PermanentError),
        (says({"error": "x"}, 400), PermanentError),
        (says({}, 429), TransientError),
        (says({}, 503), TransientError),
        (SIGN_IN, TransientError),
        (Reply(302, headers={"Location": "https://elsewhere.example/"}), TransientError),
        (Reply(200, b"[]"), TransientError),
        (says({"value": [{"name": 1}]}), TransientError),
        (says({"value": None}), TransientError),
        (says({"value": [], "nextLink": "https://elsewhere.example/next"}), TransientError),
        (Reply(200, b'{"value": [', cut=10), TransientError),
    ],
)
def test_every_answer_is_an_error_of_one_of_two_kinds_or_a_list(
    arm: Answering, reply: Reply, kind: type[Exception]
) -> None:
    arm.answer = lambda *_: reply

    with pytest.raises(kind) as error:
        the_client().of(TOPIC)
    assert CANARY not in str(error.value)
    assert len(arm.asked) == 1


@pytest.mark.parametrize(
    "topic", ["arrivals", f"{TOPIC}/x", f"{TOPIC}?a=b", "/../topics/a", f"http://x.example{TOPIC}"]
)
def test_what_is_no_id_of_a_topic_is_not_asked_for(arm: Answering, topic: str) -> None:
    with pytest.raises(PermanentError, match="EDGETRAIN_ARRIVALS__TOPIC_ID"):
        the_client().of(topic)
    assert arm.asked == []


@pytest.mark.parametrize(
    ("topic", "raised", "state"),
    [
        ("", None, State.SKIPPED),
        (TOPIC, None, State.WRONG),
        (TOPIC, MayNotReadError("403", code=Code.BAD_CONFIGURATION), State.UNKNOWN),
        (TOPIC, PermanentError("no topic", code=Code.BAD_CONFIGURATION), State.WRONG),
        (TOPIC, TransientError("busy"), State.UNKNOWN),
    ],
)
def test_a_missing_right_is_not_known_and_without_the_id_nothing_is_asked(
    topic: str, raised: Exception | None, state: State
) -> None:
    def of(_: str) -> list[Any]:
        if raised:
            raise raised
        return []

    services: Any = SimpleNamespace(
        settings=SimpleNamespace(arrivals=SimpleNamespace(topic_id=topic)),
        event_subscriptions=SimpleNamespace(of=of),
        pipelines=SimpleNamespace(all=()),
    )
    [finding] = run(looks(CHECKS, services, {Kind.APP: [""]}))

    assert finding.state is state
    assert bool(finding.remedy) is state.needs_remedy
