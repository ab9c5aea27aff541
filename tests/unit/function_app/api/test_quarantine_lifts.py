"""What failed too often may be tried again, one fingerprint or all."""

from typing import Any

import pytest

from function_app.problems import RefusedError
from shared.errors import Code, PermanentError
from tests.support.api import MemoryServices, a_request, answer_of
from tests.support.workflow import START
from tests.unit.function_app.api.test_lists import PIPELINE, a_quarantine

ONE, OTHER = "ab" * 32, "ee" * 32


@pytest.fixture
def services() -> MemoryServices:
    found = MemoryServices()
    for fingerprint in (ONE, OTHER):
        found.ledger.quarantines.put(a_quarantine(fingerprint=fingerprint))
    found.ledger.listings.mark_decided(PIPELINE, "digest", START)
    return found


def post(services: MemoryServices, body: Any = b"", path: str = PIPELINE) -> tuple[set[str], str]:
    found = answer_of("release", a_request("POST", body=body, path=path), services)
    return {kept.fingerprint for kept in found.released}, found.sentence


def active(services: MemoryServices) -> set[str]:
    return {kept.fingerprint for kept in services.ledger.quarantines.of(PIPELINE) if kept.active}


def test_all_are_lifted_and_the_reconciler_lists_again(services: MemoryServices) -> None:
    released, sentence = post(services)

    assert released == {ONE, OTHER}
    assert sentence.startswith("2 sets of data of pipeline breast-cancer ")
    assert active(services) == set()
    assert services.ledger.listings.last_decided(PIPELINE) is None


def test_one_is_released_and_the_others_stay(services: MemoryServices) -> None:
    released, sentence = post(services, {"fingerprint": ONE})

    assert (released, active(services)) == ({ONE}, {OTHER})
    assert sentence.startswith("data of pipeline breast-cancer that were held back ")


def test_when_nothing_is_quarantined_the_data_are_listed_again(services: MemoryServices) -> None:
    post(services)
    services.ledger.listings.mark_decided(PIPELINE, "digest", START)

    released, sentence = post(services)

    assert released == set()
    assert sentence.startswith("pipeline breast-cancer holds no data back")
    assert services.ledger.listings.last_decided(PIPELINE) is None


def test_a_fingerprint_that_is_not_quarantined_is_refused_with_those_that_are(services: MemoryServices) -> None:
    post(services, {"fingerprint": OTHER})

    with pytest.raises(RefusedError, match=f"; held back: {ONE}") as caught:
        post(services, {"fingerprint": OTHER})

    assert (caught.value.status, caught.value.field) == (404, "fingerprint")


@pytest.mark.parametrize("body", [{"fingerprint": "AB" * 32}, {"fingerprint": 7}, {"all": True}, b"[]"])
def test_a_bad_body_is_refused(services: MemoryServices, body: Any) -> None:
    with pytest.raises(PermanentError) as caught:
        post(services, body)

    assert caught.value.code is Code.BAD_REQUEST
    assert active(services) == {ONE, OTHER}


def test_an_unknown_pipeline_is_refused(services: MemoryServices) -> None:
    with pytest.raises(PermanentError, match="there is no pipeline 'none'"):
        post(services, path="none")
