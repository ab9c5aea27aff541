from datetime import UTC, datetime, timedelta

import pytest
from azure.eventgrid import generate_sas
from hypothesis import given
from hypothesis import strategies as st

from local_stack.event_grid.access import may_publish, new_key

ENDPOINT = "http://127.0.0.1:7000/topics/arrivals/api/events"
KEY = new_key()
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def opens(**headers: str) -> bool:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return may_publish(named, key=KEY, endpoint=ENDPOINT, now=NOW.timestamp())


@given(st.text(max_size=60))
def test_only_the_key_opens(presented: str) -> None:
    assert opens(aeg_sas_key=KEY)
    assert not opens(aeg_sas_key=presented)
    assert not opens(aeg_sas_token=presented)
    assert not opens(Authorization=f"SharedAccessSignature {presented}")
    assert not opens()


@pytest.mark.parametrize("zone", [UTC, None])
def test_a_signature_opens_until_it_ends(zone: object) -> None:
    later = (NOW + timedelta(seconds=1)).replace(tzinfo=UTC if zone else None)
    before = NOW - timedelta(seconds=1)

    assert opens(aeg_sas_token=generate_sas(ENDPOINT, KEY, later))
    assert opens(Authorization=f"SharedAccessSignature {generate_sas(ENDPOINT, KEY, later)}")
    assert not opens(Authorization=f"Bearer {generate_sas(ENDPOINT, KEY, later)}")
    assert not opens(aeg_sas_token=generate_sas(ENDPOINT, KEY, before))


@pytest.mark.parametrize(
    "endpoint",
    [ENDPOINT.replace("arrivals", "other"), ENDPOINT.replace("7000", "7001"), ENDPOINT.replace("http", "https"), ""],
)
def test_a_signature_is_for_one_topic(endpoint: str) -> None:
    later = NOW + timedelta(hours=1)

    assert not opens(aeg_sas_token=generate_sas(endpoint, KEY, later))
    assert not opens(aeg_sas_token=generate_sas(ENDPOINT, new_key(), later))


@given(st.data())
def test_no_part_of_a_signature_can_be_changed(data: st.DataObject) -> None:
    token = generate_sas(ENDPOINT, KEY, NOW + timedelta(hours=1))
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(min_codepoint=33, max_codepoint=126))

    changed = token[:place] + other + token[place + 1 :]

    # Escapes may be in either case, and base64 has spare bits at its end: those say the same as before.
    same = changed.lower() == token.lower() or place >= len(token) - 4
    assert same or not opens(aeg_sas_token=changed)


def test_an_expiry_that_is_no_time_does_not_open() -> None:
    class Someday(datetime):
        def __str__(self) -> str:
            return "someday"

    assert not opens(aeg_sas_token=generate_sas(ENDPOINT, KEY, Someday(2030, 1, 1, tzinfo=UTC)))
