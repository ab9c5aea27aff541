"""An operator who types commands of ``edgetrain`` at a running stack."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_stack.supervisor import Stack
from tests.support.service_process import ROOT


@dataclass(frozen=True, slots=True)
class Operator:
    """Types in a folder that is also their home; knows the app's address and key from the environment."""

    stack: Stack
    folder: Path

    def __call__(self, *arguments: str, status: int | None = 0) -> Any:
        """Run ``edgetrain ... --json``; gives its document, and checks its exit status; None: any."""
        endpoints = self.stack.endpoints
        surroundings = {name: text for name, text in os.environ.items() if not name.startswith("EDGETRAIN_")}
        surroundings |= {
            "EDGETRAIN_URL": endpoints["functions_host"]["url"],
            "EDGETRAIN_KEY": endpoints["functions_host"]["function_key"],
            "EDGETRAIN_DURABLE_KEY": endpoints["functions_host"]["master_key"],
            "HUB_STORAGE": endpoints["hub_storage"]["connection_string"],
            "PYTHONPATH": str(ROOT),
            "HOME": str(self.folder),
        }
        ended = subprocess.run(
            [sys.executable, "-m", "cli", *arguments, "--json"],
            cwd=self.folder,
            env=surroundings,
            capture_output=True,
            text=True,
            timeout=1800,
            check=False,
        )
        assert status in {None, ended.returncode}, ended.stdout + ended.stderr
        return json.loads(ended.stdout)
