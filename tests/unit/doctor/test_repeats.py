"""Duplicate detection, asked with the vendor's own client of what answers as Service Bus' documentation shows it."""

import ssl
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from function_app.doctor.catalogue import every_check
from local_stack.azure_ml.tls import ensure_certificates
from shared.clients.service_bus_access import BusAccess
from shared.doctor import Finding, State, looks, run
from tests.support.answering import SIGN_IN, Answering, Reply, answering

ATOM, BUS = "http://www.w3.org/2005/Atom", "http://schemas.microsoft.com/netservices/2010/10/servicebus/connect"
TOPIC, QUEUE = "training-results", "training-requests-quarantine"


def described(path: str, *, drops: bool) -> Reply:
    """What the service says of an entity."""
    kind = "QueueDescription" if QUEUE in path else "TopicDescription"
    detects = f"<RequiresDuplicateDetection>{str(drops).lower()}</RequiresDuplicateDetection>"
    content = f'<{kind} xmlns="{BUS}"><MaxSizeInMegabytes>1024</MaxSizeInMegabytes>{detects}</{kind}>'
    entry = f'<entry xmlns="{ATOM}"><title type="text">it</title><content type="application/xml">{content}</content>'
    return Reply(body=f"{entry}</entry>".encode(), content_type="application/atom+xml;type=entry;charset=utf-8")


NOT_THERE = Reply(body=f'<feed xmlns="{ATOM}"></feed>'.encode(), content_type="application/atom+xml;type=feed")
"""The service answers 200, with a list that is empty."""

_BARE = f'<content type="application/xml"><TopicDescription xmlns="{BUS}"/></content>'
SILENT = Reply(body=f'<entry xmlns="{ATOM}">{_BARE}</entry>'.encode(), content_type="application/atom+xml;type=entry")


@pytest.fixture(scope="module")
def namespace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answering]:
    chain, key, bundle = ensure_certificates(tmp_path_factory.mktemp("tls"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    with pytest.MonkeyPatch.context() as patch, answering(context) as served:
        patch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
        yield served


def asked(namespace: Answering) -> Finding:
    host = namespace.url.removeprefix("https://")
    access = BusAccess.of(f"Endpoint=sb://{host}/;SharedAccessKeyName=a-name;SharedAccessKey=c2VjcmV0")
    services: Any = SimpleNamespace(settings=SimpleNamespace(service_bus=access.bus), bus=access)
    [check] = [each for each in every_check() if each.name == "service_bus.repeats"]
    [finding] = run(looks([check], services, {check.about: [""]}))
    return finding


@pytest.mark.parametrize(
    ("without", "state", "said"),
    [
        (frozenset(), State.OK, f"{TOPIC} and {QUEUE} have it"),
        ({TOPIC}, State.WRONG, f"not in {TOPIC}"),
        ({QUEUE}, State.WRONG, f"not in {QUEUE}"),
    ],
    ids=["both", "topic", "queue"],
)
def test_an_entity_that_keeps_repeats_is_named(
    namespace: Answering, without: frozenset[str], state: State, said: str
) -> None:
    namespace.answer = lambda _, path: described(path, drops=not any(f"/{name}?" in path for name in without))

    finding = asked(namespace)

    assert (finding.state, finding.found) == (state, said)
    assert all(headers["authorization"].startswith("SharedAccessSignature ") for headers, _ in namespace.sent)


@pytest.mark.parametrize(
    ("reply", "state", "said"),
    [
        (NOT_THERE, State.WRONG, "has no training-results"),
        (Reply(404), State.WRONG, "has no training-results"),
        (Reply(401), State.UNKNOWN, "may listen and send"),
        (Reply(403), State.UNKNOWN, "may listen and send"),
        (SIGN_IN, State.UNKNOWN, "content of another shape"),
        (SILENT, State.UNKNOWN, "leaves duplicate detection out"),
    ],
    ids=["no entity", "404", "no right", "refused", "a page", "nothing said"],
)
def test_what_is_no_answer_is_told_as_what_it_is(namespace: Answering, reply: Reply, state: State, said: str) -> None:
    namespace.answer = lambda _method, _path: reply

    finding = asked(namespace)

    assert finding.state is state, finding
    assert said in finding.found
