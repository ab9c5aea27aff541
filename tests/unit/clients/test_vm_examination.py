"""What a VM prints is read as facts, whatever it prints."""

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clients.vm_examination import _FACTS, _LISTED, _PODMAN, _engine, _Facts, _socket

INFO = "4.9.3|true|/run/c|{graph}|v2|cpu,memory,pids,|1,65536,"


def test_lines_become_facts() -> None:
    facts = _Facts(b"clock=12\nslot=serving/a.json\nslot=serving/b.json\nnonsense\n")

    assert facts.number("clock") == 12
    assert facts.all("slot") == ["serving/a.json", "serving/b.json"]
    assert facts.text("nonsense") == ""
    assert facts.number("nothing") == -1


def test_the_first_word_counts() -> None:
    assert _Facts(b"uid=1000\nuid=0\n").number("uid") == 1000


def test_an_engine_is_read() -> None:
    line = b"engine=podman\nengine-status=0\nengine-info=4.9.3|true|/run/c|/var/c|v2|cpu,memory,pids,|1,65536,\n"

    engine = _engine(_Facts(line))

    assert (engine.name, engine.version, engine.rootless, engine.ids) == ("podman", "4.9.3", True, 65_537)
    assert engine.controllers == ("cpu", "memory", "pids")


@given(st.binary(max_size=2_000))
def test_anything_is_bounded_and_safe_to_show(printed: bytes) -> None:
    facts = _Facts(printed + b"\nengine-info=\x1b[2J\xff|\nuid=99999999999999999999999\nsocket=" + b"x" * 100_000)

    assert facts.text("engine-info").isprintable()
    assert len(facts.text("socket")) <= 400
    assert _engine(facts).version == ""
    assert len(_socket(facts.text("socket"))) == 3
    assert facts.number("uid") == -1 or b"uid=" in printed


def said_with(folder: Path, podman: str) -> _Facts:
    """What the script prints on a machine with this podman."""
    program = folder / "podman"
    program.write_text(f"#!/bin/sh\n{podman}\n", encoding="utf-8")
    program.chmod(0o755)
    environment = {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    command = ["/bin/sh", "-c", _FACTS, "sh", "serving/haproxy.sock", _PODMAN, _LISTED]
    return _Facts(subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True).stdout)


@pytest.mark.parametrize("warning", ["", "echo 'level=warning msg=\"no systemd session\"' >&2; echo 'WARN[0] x' >&2; "])
def test_what_podman_warns_of_is_no_part_of_its_answer(tmp_path: Path, warning: str) -> None:
    answers = f"case $1 in info) echo '{INFO.format(graph=tmp_path)}' ;; ps) echo container=a ;; esac"

    facts = said_with(tmp_path, warning + answers)

    assert _engine(facts).version == "4.9.3"
    assert any(line.endswith(f" {tmp_path}") for line in facts.all("free"))
    assert facts.all("container") == ["a"]


def test_a_podman_that_fails_once_works(tmp_path: Path) -> None:
    fails = "[ -e asked ] || { : > asked; echo 'layer not known' >&2; exit 125; }; "

    facts = said_with(tmp_path, f"{fails}case $1 in info) echo '{INFO.format(graph=tmp_path)}' ;; esac")

    assert (_engine(facts).status, _engine(facts).version) == (0, "4.9.3")


def test_a_podman_that_does_not_work_says_why_and_is_not_asked_for_its_lists(tmp_path: Path) -> None:
    facts = said_with(tmp_path, "[ $1 = info ] || echo container=a\necho 'cannot open its database' >&2; exit 125")

    assert (_engine(facts).status, _engine(facts).said) == (125, "cannot open its database")
    assert facts.all("container") == []
    assert facts.number("ended") > 0
