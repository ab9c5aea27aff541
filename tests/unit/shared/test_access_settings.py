"""The settings of keys and roles: read by themselves, and refused by name."""

from hashlib import sha256

import pytest
from pydantic import SecretStr

from shared.access_settings import AccessSettings, PageSettings, read_access
from shared.decisions.access.roles import Role
from shared.errors import Code, PermanentError

DIGEST = sha256(b"a-key").hexdigest()


def read() -> AccessSettings:
    return read_access(lambda _, value: value)


def test_roles_stand_under_the_names_of_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGETRAIN_KEY_NAMES__OPS_TEAM", DIGEST)
    monkeypatch.setenv("EDGETRAIN_KEY_ROLES__OPS_TEAM", "operator, approver")

    found = read()

    assert found.key_names == {"ops_team": DIGEST}
    assert found.key_roles == {"ops_team": frozenset({Role.OPERATOR, Role.APPROVER})}


def test_they_may_be_one_text_of_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGETRAIN_KEY_NAMES", f'{{"ops": "{DIGEST}"}}')
    monkeypatch.setenv("EDGETRAIN_KEY_ROLES", '{"ops": "reader"}')

    assert read().key_roles == {"ops": frozenset({Role.READER})}


@pytest.mark.parametrize(
    ("roles", "said"),
    [
        ("operators", "EDGETRAIN_KEY_ROLES__CI names something that is no role"),
        ("reader", "set EDGETRAIN_KEY_NAMES__CI"),
    ],
)
def test_what_is_wrong_is_said_by_name(monkeypatch: pytest.MonkeyPatch, roles: str, said: str) -> None:
    monkeypatch.setenv("EDGETRAIN_KEY_NAMES__OPS", DIGEST)
    monkeypatch.setenv("EDGETRAIN_KEY_ROLES__CI", roles)

    with pytest.raises(PermanentError, match="nobody is let in") as refused:
        read()

    assert refused.value.code is Code.BAD_CONFIGURATION
    assert said in refused.value.reason
    assert "operators" not in refused.value.reason


def test_no_secret_of_others_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGETRAIN_SIGNING__PRIVATE_KEY_FILE", "https://vault/secrets/x")
    monkeypatch.setenv("EDGETRAIN_KEY_NAMES__OPS", "https://vault/secrets/ops")
    asked: list[str] = []

    def meaning(name: str, _: str) -> str:
        asked.append(name)
        return DIGEST

    assert read_access(meaning).key_names == {"ops": DIGEST}
    assert asked == ["EDGETRAIN_KEY_NAMES__OPS"]


@pytest.mark.parametrize(("secret", "good"), [("s" * 32, True), ("", True), ("a-short-one", False)])
def test_the_secret_of_the_page_is_long_or_not_there(secret: str, good: bool) -> None:
    if good:
        assert (PageSettings(secret=SecretStr(secret)).secret is None) == (secret == "")
    else:
        with pytest.raises(ValueError, match="at least 32 characters") as refused:
            PageSettings(secret=SecretStr(secret))
        assert secret not in str(refused.value)
