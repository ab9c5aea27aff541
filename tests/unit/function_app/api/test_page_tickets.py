"""Links that sign in at the page: for a key that has a name, and where there is a secret."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from function_app.problems import RefusedError
from function_app.sessions import Signatures
from shared.access_settings import AccessSettings
from tests.support.access import KEYS, NO_ROLES, PEOPLE, ROLES, UNKNOWN_KEY, by_key, signed_in
from tests.support.api import MemoryServices, a_request, answer_of

SIGNS = Signatures("s" * 40)


def asked(settings: AccessSettings, headers: dict[str, str], signs: Signatures | None = SIGNS) -> Any:
    services = MemoryServices()
    services.__dict__ |= {"access": settings, "signatures": signs}
    return answer_of("page_ticket", a_request("POST", headers=headers), services)


def test_the_link_has_a_ticket_for_the_key_that_asks_and_nothing_of_the_key() -> None:
    found = asked(ROLES, by_key("operator"))
    now = datetime.now(UTC)

    address, _, ticket = found.address.partition("?ticket=")
    known = SIGNS.ticket_in(ticket, ROLES.key_names, now)
    assert (address, found.key) == ("/ui/sign-in", "operator")
    assert known is not None
    assert known.key == "operator"
    assert timedelta(minutes=9) < found.expires_at - now <= timedelta(minutes=10)
    assert KEYS["operator"] not in found.address


@pytest.mark.parametrize(
    ("settings", "headers", "signs", "code"),
    [
        (ROLES, by_key("reader"), None, "sign_in_is_off"),
        (NO_ROLES, {"x-functions-key": UNKNOWN_KEY}, SIGNS, "key_without_name"),
        (AccessSettings(key_names={"none": "x"}), {}, SIGNS, "key_without_name"),
        (PEOPLE, signed_in("operator") | by_key("operator"), SIGNS, "key_without_name"),
        (ROLES, {"x-functions-key": UNKNOWN_KEY}, SIGNS, "not_permitted"),
    ],
)
def test_others_get_none_and_learn_why(
    settings: AccessSettings, headers: dict[str, str], signs: Signatures | None, code: str
) -> None:
    with pytest.raises(RefusedError) as refused:
        asked(settings, headers, signs)

    assert refused.value.code == code
