"""Targets are opened by name; a kind is one file and a row of settings."""

import json
from pathlib import Path

import pytest

from function_app.composition import Services
from shared.clients import serving_targets
from shared.clients.serving_targets import TargetServices, kinds, settings_of
from shared.clients.vm_serving.settings import VmSettings
from shared.errors import Code, PermanentError
from shared.messages.serving import ServingPlan
from shared.settings import TargetSettings, settings

EXAMPLE = json.loads((Path(__file__).parents[3] / "local.settings.json.example").read_text())["Values"]
PAPER = '''
"""Serves on paper."""

from pydantic import BaseModel, SecretStr

from shared.messages.serving import ObservedRelease, ReleaseState, Serving


class Settings(BaseModel):
    drawer: str
    key: SecretStr


class Paper:
    def __init__(self, name, settings, services):
        self.name, self.drawer, self.services, self.plans = name, settings.drawer, services, {}

    def apply(self, plan):
        for release in plan.releases:
            self.services.trusted(release.image)
        self.plans[plan.pipeline] = plan

    def observe(self, pipeline):
        plan = self.plans[pipeline]
        releases = [
            ObservedRelease(run_id=each.run_id, image=each.image, state=ReleaseState.HEALTHY, weight=each.weight)
            for each in plan.releases
        ]
        return Serving(target=self.name, pipeline=pipeline, releases=tuple(releases), endpoint=self.drawer)


def connect(name, settings, services):
    return Paper(name, settings, services)
'''


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in EXAMPLE.items():
        monkeypatch.setenv(name, "22" if name.endswith("__PORT") else value)
    monkeypatch.setattr(serving_targets, "__path__", list(serving_targets.__path__))
    settings.cache_clear()
    monkeypatch.setattr("shared.settings.settings", settings.__wrapped__)
    return monkeypatch


def test_a_third_kind_is_one_file_and_a_row_of_settings(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "paper.py").write_text(PAPER, encoding="utf-8")
    serving_targets.__path__.append(str(tmp_path))
    environment.setenv("EDGETRAIN_TARGETS__LINE_2__KIND", "paper")
    environment.setenv("EDGETRAIN_TARGETS__LINE_2__DRAWER", "the lower one")
    environment.setenv("EDGETRAIN_TARGETS__LINE_2__KEY", "brass")

    target = Services().targets.open("line-2")

    target.apply(ServingPlan(target="line-2", pipeline="pumps"))
    assert target.observe("pumps").endpoint == "the lower one"
    assert "paper" in kinds()


def test_a_target_of_no_kind_is_a_vm(environment: pytest.MonkeyPatch) -> None:
    targets = Services().targets
    assert isinstance(settings_of("hub-vm", settings().target("hub-vm")), VmSettings)
    assert targets.open("hub-vm") is targets.open("hub-vm")


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ({"kind": "balloon"}, r"EDGETRAIN_TARGETS__LINE_2__KIND is 'balloon'; it must be one of .*vm"),
        ({"kind": "_hidden"}, "KIND"),
        ({"kind": "vm.py"}, "KIND"),
        ({"address": "a", "username": "u"}, "EDGETRAIN_TARGETS__LINE_2__PRIVATE_KEY: Field required"),
        (
            {"address": "a", "username": "u", "private_key": "s3cret", "keep_releases": "s3cret"},
            "LINE_2__KEEP_RELEASES: ",
        ),
    ],
    ids=["no such kind", "a helper", "a file", "a setting is missing", "a setting is wrong"],
)
def test_what_is_wrong_with_the_settings_is_named(own: dict[str, str], words: str) -> None:
    targets = serving_targets.ServingTargets(
        lambda name: TargetSettings.model_validate(own),
        TargetServices(trusted=lambda image: None, smoke_sample=lambda image: None),
    )

    with pytest.raises(PermanentError, match=words) as caught:
        targets.open("line-2")

    assert caught.value.code is Code.BAD_CONFIGURATION
    assert "s3cret" not in str(caught.value)


def test_numbers_in_the_environment_may_be_texts(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("EDGETRAIN_TARGETS__HUB_VM__PULL_PASSWORD", "123456")
    environment.setenv("EDGETRAIN_TARGETS__HUB_VM__USERNAME", "42")

    found = settings_of("hub-vm", settings().target("hub-vm"))

    assert (found.pull_password.get_secret_value(), found.username, found.port) == ("123456", "42", 22)
