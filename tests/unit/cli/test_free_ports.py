"""The program that finds ports for a slot on a VM, run as it is sent there."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cli.vm_slot import _FREE_PORTS


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2"])
def test_three_ports_are_found_whether_or_not_the_vm_is_reached_on_its_loopback(address: str, tmp_path: Path) -> None:
    (tmp_path / "serving").mkdir()
    slot = {"frontend_port": 20_000, "ports": {"blue": 20_001, "green": 20_002}}
    (tmp_path / "serving" / "other.json").write_text(json.dumps(slot), encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-c", _FREE_PORTS, address], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    ports = [int(word) for word in done.stdout.split()]
    assert len(set(ports)) == 3
    assert all(20_002 < port < 30_000 for port in ports)
