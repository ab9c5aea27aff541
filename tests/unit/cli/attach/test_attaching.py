"""What ``edgetrain attach`` does besides the VM and Azure ML, which integration tests have."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cli.attach import attaching, work
from cli.attach.attaching import Outcome, attach_one, turns_of
from cli.attach.computes import attach_settings, compute_of, outputs_in
from cli.attach.work import Files, How
from cli.client.errors import NotReachableError, WrongUseError
from shared.clients.azure_ml.compute import AttachedCompute
from shared.errors import Code, NotAllowedError, PermanentError, TransientError
from shared.settings import Compute

COMPUTE = Compute.model_validate({"address": "192.0.2.7", "username": "edgetrain", "private_key": "canary-key"})


class Turns:
    @contextmanager
    def alone(self, what: str, *, seconds: float) -> Iterator[None]:
        yield


def attached(
    monkeypatch: pytest.MonkeyPatch, before: str, troubles: int, *, seconds: float = 60, renew: bool = False
) -> Any:
    """What comes of attaching a VM when Azure ML says so often that it is under way."""
    left = [TransientError("Azure ML is still creating it")] * troubles

    def once(*_: Any) -> None:
        if left:
            raise left.pop()

    monkeypatch.setattr(attaching, "attach_compute", once)
    monkeypatch.setattr(attaching, "renew_compute", lambda *_: renewed.append(_))
    address, _, port = before.partition(":")
    known = AttachedCompute(address, int(port), "Succeeded") if before else None
    monkeypatch.setattr(attaching, "attached", lambda *_: known)
    monkeypatch.setattr(attaching, "_PAUSE", 0.001)
    said: list[str] = []
    renewed: list[Any] = []
    found = attach_one(None, "hub-vm", COMPUTE, Turns(), seconds=seconds, say=said.append, renew=renew)
    assert len(renewed) == (renew and bool(before))
    return found.outcome, found.before, len(said)


def test_it_waits_until_the_target_is_there_and_says_so_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert attached(monkeypatch, "", 3) == (Outcome.ATTACHED, "", 1)
    assert attached(monkeypatch, "192.0.2.7:22", 0) == (Outcome.ATTACHED_BEFORE, "", 0)
    assert attached(monkeypatch, "192.0.2.1:22", 1) == (Outcome.MOVED, "192.0.2.1:22", 1)
    assert attached(monkeypatch, "192.0.2.7:22", 2, renew=True) == (Outcome.RENEWED, "", 1)
    assert attached(monkeypatch, "", 0, renew=True) == (Outcome.ATTACHED, "", 0)


def test_what_takes_longer_than_allowed_is_not_reachable(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotReachableError, match="still creating") as late:
        attached(monkeypatch, "", 1_000_000, seconds=0.01)
    assert late.value.exit_status == 3
    assert "run this again" in late.value.remedy


def test_whoever_may_only_read_the_ledger_attaches_without_a_turn_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class ReadOnly:
        refused: PermanentError | None = None

        def __init__(self, *_: Any) -> None:
            self.turns = self

        @contextmanager
        def alone(self, what: str, *, seconds: float) -> Iterator[None]:
            if self.refused is not None:
                raise self.refused
            yield

        def close(self) -> None:
            pass

    monkeypatch.setattr("shared.clients.ledger.Ledger", ReadOnly)
    monkeypatch.setenv("AzureWebJobsStorage__accountName", "account")
    for name in ("SUBSCRIPTION_ID", "RESOURCE_GROUP", "WORKSPACE"):
        monkeypatch.setenv(f"EDGETRAIN_AZURE_ML__{name}", "x")
    not_there = PermanentError("the ledger's table is not there", code=Code.BAD_CONFIGURATION)
    for refused, why in (
        (NotAllowedError("the ledger refused the credentials (403)"), ["you may not write into the ledger"]),
        (not_there, ["the ledger's table is not there"]),
        (None, []),
    ):
        ReadOnly.refused = refused
        said: list[str] = []
        with turns_of(attach_settings(), said.append) as turns, turns.alone("attach", seconds=1):
            assert [each.partition(": ")[0] for each in said] == why
    # What goes wrong within a turn is not taken for a turn that is refused.
    with (
        pytest.raises(PermanentError, match="no key"),
        turns_of(attach_settings(), said.append) as turns,
        turns.alone("attach", seconds=1),
    ):
        raise PermanentError("no key", code=Code.BAD_CONFIGURATION)


@pytest.mark.parametrize("wrapped", [True, False])
def test_outputs_of_the_deployment_are_fields_of_the_compute(tmp_path: Path, wrapped: bool) -> None:
    values = {
        "address": "192.0.2.9",
        "sshPort": 22,
        "trainingUser": "edgetrain",
        "trainingHome": "/srv/e",
        "vmName": "x",
    }
    outputs = {name: {"type": "string", "value": value} for name, value in values.items()}
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps({"properties": {"outputs": outputs}} if wrapped else outputs))
    assert outputs_in(file) == {"address": "192.0.2.9", "port": 22, "username": "edgetrain", "home": "/srv/e"}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"address": {"value": "x"}}', '{"properties": 7}'])
def test_what_is_no_output_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "outputs.json"
    file.write_text(text)
    with pytest.raises(WrongUseError, match="holds no outputs") as refused:
        outputs_in(file)
    assert "az deployment group show" in refused.value.remedy
    with pytest.raises(WrongUseError, match="cannot be read"):
        outputs_in(tmp_path / "none.json")


def test_what_is_given_goes_before_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SUBSCRIPTION_ID", "RESOURCE_GROUP", "WORKSPACE"):
        monkeypatch.setenv(f"EDGETRAIN_AZURE_ML__{name}", "x")
    monkeypatch.setenv("EDGETRAIN_COMPUTES__HUB_VM__USERNAME", "old")
    monkeypatch.setenv("EDGETRAIN_COMPUTES__HUB_VM__PULL_PASSWORD", "123456")
    settings = attach_settings()
    with pytest.raises(WrongUseError, match="EDGETRAIN_COMPUTES__HUB_VM__ADDRESS"):
        compute_of("hub-vm", settings, {})
    given = {"address": "192.0.2.9", "username": "new", "private_key": "canary-key"}
    found = compute_of("hub-vm", settings, given)
    assert (found.username, found.pull_password.get_secret_value()) == ("new", "123456")
    assert "canary" not in repr(found)


def test_settings_that_name_no_workspace_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SUBSCRIPTION_ID", "RESOURCE_GROUP", "WORKSPACE"):
        monkeypatch.delenv(f"EDGETRAIN_AZURE_ML__{name}", raising=False)
    with pytest.raises(PermanentError, match="EDGETRAIN_AZURE_ML"):
        attach_settings()


def test_options_of_one_vm_go_with_one_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name in ("SUBSCRIPTION_ID", "RESOURCE_GROUP", "WORKSPACE"):
        monkeypatch.setenv(f"EDGETRAIN_AZURE_ML__{name}", "x")
    monkeypatch.setattr(work, "computes_of_pipelines", lambda _: [])
    assert work.work(["a", "b"], Files(), How(), host_key="ssh-ed25519 AAAA", as_json=True) == 2
    assert "one VM" in json.loads(capsys.readouterr().out)["detail"]
    assert work.work([], Files(), How(), host_key="", as_json=True) == 2
    assert work.work(["a"], Files(private_key=tmp_path / "none"), How(), host_key="", as_json=True) == 2
