"""An answer that is longer than allowed is an error, and costs no more memory than that."""

from collections.abc import Iterator

import pytest
import requests

from shared.clients.bounded_http import BoundedSession
from tests.support.answering import Answering, Reply, answering


@pytest.fixture
def service() -> Iterator[Answering]:
    with answering() as running:
        yield running


def test_what_fits_is_read_whole(service: Answering) -> None:
    service.answer = lambda *_: Reply(body=b'{"a": 1}')
    with BoundedSession(most=8) as session:
        answer = session.get(service.url, timeout=5)

    assert (answer.json(), answer.content, answer.text) == ({"a": 1}, b'{"a": 1}', '{"a": 1}')


def test_what_does_not_fit_is_an_error(service: Answering) -> None:
    service.answer = lambda *_: Reply(body=b"x" * 200_000)
    with BoundedSession(most=100_000) as session, pytest.raises(requests.RequestException, match="more than 100000"):
        session.get(service.url, timeout=5)


def test_what_is_streamed_may_be_of_any_length(service: Answering) -> None:
    service.answer = lambda *_: Reply(body=b"x" * 200_000)
    with BoundedSession(most=10) as session, session.get(service.url, timeout=5, stream=True) as answer:
        assert sum(map(len, answer.iter_content(4096))) == 200_000
