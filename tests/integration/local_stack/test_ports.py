"""Ports: promised to one stack at a time, and none that leads to somebody else."""

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_stack.stack_hub.containers import containers_in, forget_forwards
from local_stack.supervisor import ports

needs_firewall = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("iptables") is None, reason="only root can write rules of the firewall"
)
CONTAINER = secrets.token_hex(32)
CHAIN = f"ET-{CONTAINER[:16]}"


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """A free port, which nobody else is given while the test runs."""
    yield ports.allocate(tmp_path / "of-the-test.json", ["a"])["a"]
    ports.give_back(tmp_path / "of-the-test.json")


def test_a_port_is_promised_to_one_stack_until_it_ends(tmp_path: Path) -> None:
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    held = ports.allocate(first, ["a", "b"])
    second.write_text(first.read_text(encoding="utf-8"), encoding="utf-8")

    others = ports.allocate(second, ["a", "b"])

    assert not set(held.values()) & set(others.values())
    assert not any(ports.is_free(each) for each in (*held.values(), *others.values()))
    ports.give_back(first)
    assert all(ports.is_free(each) for each in held.values())
    assert ports.allocate(first, ["a", "b"]) == held
    for file in (first, second):
        ports.give_back(file)


def test_a_promise_of_another_process_counts_until_it_ends(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from local_stack.supervisor import ports;"
        "print(ports.allocate(Path(sys.argv[1]), ['a'])['a'], flush=True); sys.stdin.read()"
    )
    words = [sys.executable, "-c", script, str(tmp_path / "other.json")]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        promised = int(other.stdout.readline())
        seen = ports.is_free(promised)
        other.kill()

    assert not seen
    assert ports.is_free(promised)


@needs_firewall
def test_a_port_that_leads_to_a_container_that_is_gone_is_not_free_until_its_rule_is(port: int, tmp_path: Path) -> None:
    nat = ["iptables", "-w", "-t", "nat"]
    comment = ["-m", "comment", "--comment", f'dnat name: "podman" id: "{CONTAINER}"']
    ports.give_back(tmp_path / "of-the-test.json")
    subprocess.run([*nat, "-N", CHAIN], check=True)
    subprocess.run(
        [*nat, "-A", CHAIN, "-p", "tcp", "--dport", str(port), "-j", "DNAT", "--to-destination", "198.18.0.1:5001"],
        check=True,
    )
    subprocess.run([*nat, "-A", "OUTPUT", "-p", "tcp", "--dport", str(port), *comment, "-j", CHAIN], check=True)
    kept = tmp_path / "storage" / "overlay-containers" / CONTAINER
    kept.mkdir(parents=True)
    try:
        assert not ports.is_free(port)
    finally:
        forget_forwards(containers_in(tmp_path / "storage"))

    assert ports.is_free(port)
    assert CONTAINER[:16] not in subprocess.run([*nat, "-S"], capture_output=True, text=True, check=True).stdout
