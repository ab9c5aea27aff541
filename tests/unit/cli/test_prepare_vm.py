"""Which settings ``edgetrain prepare-vm`` needs; ``tests/integration/serving`` prepares a VM."""

import pytest

from cli.prepare_vm import vm_settings
from shared.errors import PermanentError

SHELL = {
    "EDGETRAIN_AZURE_ML__SUBSCRIPTION_ID": "x",
    "EDGETRAIN_AZURE_ML__RESOURCE_GROUP": "x",
    "EDGETRAIN_AZURE_ML__WORKSPACE": "x",
    "EDGETRAIN_CONTAINER_REGISTRY__URL": "https://registry.example",
    "EDGETRAIN_SITES__FACTORY__CONNECTION_STRING": "canary-of-the-site",
    "EDGETRAIN_COMPUTES__HUB_VM__ADDRESS": "192.0.2.1",
    "EDGETRAIN_COMPUTES__HUB_VM__USERNAME": "edgetrain",
    "EDGETRAIN_COMPUTES__HUB_VM__PRIVATE_KEY": "canary-of-the-key",
    "EDGETRAIN_TARGETS__HUB_VM__ADDRESS": "192.0.2.1",
}
"""What docs/deploy.md has in the shell at its last step: outputs of the deployment, and the settings of the sites."""


@pytest.fixture(autouse=True)
def _shell(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SHELL.items():
        monkeypatch.setenv(name, value)
    for name in ("AzureWebJobsStorage", "AzureWebJobsStorage__accountName"):
        monkeypatch.delenv(name, raising=False)


def test_the_shell_of_the_day_one_page_is_enough() -> None:
    assert vm_settings().compute("hub-vm").address == "192.0.2.1"


def test_what_is_missing_is_named_without_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGETRAIN_COMPUTES__HUB_VM__USERNAME")
    monkeypatch.delenv("EDGETRAIN_CONTAINER_REGISTRY__URL")

    with pytest.raises(PermanentError) as refused:
        vm_settings()

    assert "EDGETRAIN_COMPUTES__HUB_VM__USERNAME, EDGETRAIN_CONTAINER_REGISTRY" in refused.value.reason
    assert "canary" not in str(refused.value)
    assert refused.value.__suppress_context__
