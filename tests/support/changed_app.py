"""The app with pipelines and training code of a test's own, as after a deployment that changed them.

Only the folders that the setting ``EDGETRAIN_APP_ROOT`` points to are other ones; the app itself is the one of this
repository.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from local_stack.processes.client import REPOSITORY
from local_stack.stack_hub.site_policy import write_policy
from local_stack.supervisor import Stack
from local_stack.supervisor.app_settings import app_settings
from tests.support.runbooks import as_printed

ROOT_SETTING = "EDGETRAIN_APP_ROOT"

_MAIN = "def main("
_PAUSE = """
import time

DEFAULTS["pause_seconds"] = 0.01
_fit = fit


def fit(features, labels, parameters):
    time.sleep(parameters["pause_seconds"])
    return _fit(features, labels, parameters)


"""


@dataclass(frozen=True, slots=True)
class ChangedApp:
    """A copy of ``pipelines/`` and ``training/`` that a test may change."""

    root: Path

    @classmethod
    def copied_to(cls, root: Path) -> "ChangedApp":
        """Copy the real ones."""
        for folder in ("pipelines", "training"):
            shutil.copytree(REPOSITORY / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
        return cls(root)

    def add_pipeline(self, name: str, **changes: dict[str, Any]) -> None:
        """A pipeline like breast-cancer; ``changes`` are laid over its sections, as in ``train={"compute": ...}``."""
        document = yaml.safe_load((self.root / "pipelines" / "breast-cancer.yaml").read_text(encoding="utf-8"))
        document["name"] = document["deliver"]["model"] = name
        for section, values in changes.items():
            document[section] |= values
        train = document["train"]
        for parameter in train["parameters"]:
            placeholder = f"${{{{parameters.{parameter}}}}}"
            if placeholder not in train["command"]:
                train["command"] += f" --{parameter.replace('_', '-')} {placeholder}"
        self.write_pipeline(name, yaml.safe_dump(document))

    def write_pipeline(self, name: str, text: str) -> None:
        """A pipeline's file, whatever is in it."""
        (self.root / "pipelines" / f"{name}.yaml").write_text(text, encoding="utf-8")

    def let_training_pause(self) -> None:
        """Make the parameter ``pause_seconds`` known to the breast cancer training: it then takes that long."""
        file = self.root / "training" / "breast_cancer" / "train.py"
        before, main, after = file.read_text(encoding="utf-8").partition(_MAIN)
        file.write_text(f"{before}{_PAUSE}{main}{after}", encoding="utf-8")

    def append(self, file: str, text: str) -> None:
        """Add lines to a file below the root."""
        with (self.root / file).open("a", encoding="utf-8") as stream:
            stream.write(text)

    @contextmanager
    def deployed(self, stack: Stack, **settings: str) -> Iterator[None]:
        """Have the stack's app work with this copy, and with other settings if any are given."""
        stack.app_settings.update({ROOT_SETTING: str(self.root), **settings})
        _allow(stack, self.root / "pipelines")
        stack.restart("functions_host")
        try:
            yield
        finally:
            for name in (ROOT_SETTING, *settings):
                del stack.app_settings[name]
            _allow(stack, REPOSITORY / "pipelines")
            stack.restart("functions_host")

    @contextmanager
    def deployed_by_identity(self, stack: Stack) -> Iterator[None]:
        """The same for an app that logs in with its identity, and has no keys."""
        stack.by_identity = True
        with self.deployed(stack):
            try:
                yield
            finally:
                stack.by_identity = False

    def prepare_serving(self, stack: Stack, *pipelines: str) -> None:
        """Make the VM's serving slots of these pipelines, as an operator would."""
        environment = {**os.environ, **app_settings(stack.endpoints), ROOT_SETTING: str(self.root)}
        more = [word for name in pipelines[1:] for word in ("--pipeline", name)]
        tool = [sys.executable, "-m", "cli", *as_printed("prepare-vm", PIPELINE=pipelines[0]), *more]
        done = subprocess.run(
            tool, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False, timeout=600
        )
        assert done.returncode == 0, done.stdout + done.stderr


def _allow(stack: Stack, pipelines: Path) -> None:
    """Have the site's policy allow what the pipelines of a folder ask for."""
    write_policy(Path(stack.endpoints["vm"]["home"]), stack.endpoints["container_registry"]["host"], pipelines)
