"""One credential for each identity in a process, so that clients share its tokens (ADR 42)."""

import json
from pathlib import Path

import pytest

from function_app.composition import Services, SignedIn

EXAMPLE = json.loads((Path(__file__).parents[3] / "local.settings.json.example").read_text())["Values"]


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in EXAMPLE.items():
        monkeypatch.setenv(name, "22" if name.endswith("__PORT") else value)
    monkeypatch.setenv("AZURE_CLIENT_ID", "usual")


@pytest.mark.parametrize("kind", [Services, SignedIn])
def test_an_identity_has_one_credential(kind: type[Services]) -> None:
    services = kind()

    assert services._identity("a") is services._identity("a")
    assert services._identity("a") is not services._identity("b")


def test_whoever_names_no_identity_shares_that_of_the_process() -> None:
    services = Services()

    assert services._identity() is services._identity("usual")
    assert services._secrets._identity() is services._identity()


def test_rotated_secrets_leave_the_credential(monkeypatch: pytest.MonkeyPatch) -> None:
    services = Services()
    before = services._identity()
    monkeypatch.setattr(services._secrets, "changed", lambda: True)

    assert services.renewed(services.generation)
    assert services._identity() is before
