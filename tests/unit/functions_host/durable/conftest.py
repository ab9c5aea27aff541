from pathlib import Path

import pytest

from tests.unit.functions_host.durable.harness import Stage


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    # Without strict typing the SDK's decoder warns on its first use, and warnings are errors here.
    monkeypatch.setenv("AZURE_FUNCTIONS_DURABLE_STRICT_TYPING", "1")
    return Stage(tmp_path / "hub.db")
