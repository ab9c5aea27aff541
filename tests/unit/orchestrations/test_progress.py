"""Every custom status goes through the one place that makes it fit."""

from pathlib import Path

import orchestrations

FOLDER = Path(orchestrations.__file__).parent


def test_nobody_else_sets_a_custom_status() -> None:
    setting = {path.name for path in FOLDER.glob("*.py") if "set_custom_status" in path.read_text(encoding="utf-8")}

    assert setting == {"progress.py"}
