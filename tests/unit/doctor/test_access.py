"""What the doctor says of keys and roles."""

from hashlib import sha256

import pytest

from function_app.composition import Services
from function_app.doctor.access import judged
from function_app.doctor.catalogue import checks_of
from shared.access_settings import AccessSettings
from shared.decisions.access.roles import EVERY_ROLE, Role
from shared.doctor import Kind, State, looks, run

DIGEST = sha256(b"a-key").hexdigest()


def settings(*named: str, on: bool = False, **roles: frozenset[Role]) -> AccessSettings:
    return AccessSettings(key_names=dict.fromkeys(named, DIGEST), key_roles=roles, app_service_authentication=on)


@pytest.mark.parametrize(
    ("given", "state", "said"),
    [
        (settings(), State.SKIPPED, "may do everything"),
        (settings("ops", on=True), State.SKIPPED, "every person without roles"),
        (settings("ops", ops=EVERY_ROLE), State.OK, "ops is reader, operator and approver"),
        (settings("ops", "ci", ops=EVERY_ROLE), State.WRONG, "EDGETRAIN_KEY_ROLES__CI is empty or not set"),
        (settings("ops", ops=frozenset()), State.WRONG, "EDGETRAIN_KEY_ROLES__OPS"),
        (settings("ops", ops=frozenset({Role.OPERATOR})), State.WRONG, "needs the role approver"),
        (settings("ops", on=True, ops=frozenset({Role.OPERATOR})), State.OK, "ops is operator"),
        (AccessSettings(key_names={"ops": "a-key-by-mistake"}), State.WRONG, "EDGETRAIN_KEY_NAMES__OPS is no SHA-256"),
    ],
)
def test_keys_without_roles_and_roles_that_nobody_has(given: AccessSettings, state: State, said: str) -> None:
    seen = judged(given)

    assert seen.state is state
    assert said in seen.found
    assert "mistake" not in seen.found


def test_roles_without_a_key_are_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGETRAIN_KEY_ROLES__OPS", "operator")

    [finding] = run(looks(checks_of("access"), Services(), {Kind.APP: [""]}))

    assert finding.state is State.WRONG
    assert "EDGETRAIN_KEY_NAMES__OPS" in finding.found
