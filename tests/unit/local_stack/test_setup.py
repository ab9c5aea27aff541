import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from local_stack.setup import node, packages
from local_stack.setup.__main__ import main
from local_stack.setup.packages import Package, by_hand, install_script, missing

PACKAGES = (
    Package("podman", ("podman",)),
    Package("haproxy", ("haproxy",), unit="haproxy.service"),
    Package("openssh-server", ("sshd", "/sftp-server"), unit="ssh.service"),
    Package("uidmap", ("newuidmap",), rootless=True),
)


def names(packages: list[Package]) -> list[str]:
    return [package.name for package in packages]


def test_a_package_is_missing_when_one_of_its_programs_is() -> None:
    there = {"podman", "haproxy", "sshd"}

    assert names(missing(root=True, docker=False, installed=there.__contains__, packages=PACKAGES)) == [
        "openssh-server"
    ]


def test_rootless_parts_are_not_asked_of_root_nor_podman_where_docker_runs() -> None:
    def wanted(*, root: bool, docker: bool) -> list[str]:
        return names(missing(root=root, docker=docker, installed=lambda _program: False, packages=PACKAGES))

    assert wanted(root=False, docker=False) == ["podman", "haproxy", "openssh-server", "uidmap"]
    assert wanted(root=True, docker=False) == ["podman", "haproxy", "openssh-server"]
    assert wanted(root=False, docker=True) == ["haproxy", "openssh-server"]


def test_installing_a_server_does_not_start_it_system_wide() -> None:
    line = install_script(PACKAGES, systemd=True)

    assert line.startswith("systemctl mask haproxy.service ssh.service && apt-get update")
    assert line.endswith("podman haproxy openssh-server uidmap")
    assert "systemctl" not in install_script(PACKAGES, systemd=False)
    assert "systemctl" not in install_script(PACKAGES[:1], systemd=True)


def test_the_line_for_a_person_is_one_line_of_shell() -> None:
    assert by_hand("a && b 'c'") == """sudo sh -c 'a && b '"'"'c'"'"''"""


def test_node_is_current_only_when_every_locked_version_is_installed(tmp_path: Path) -> None:
    lock = {"": {}, "node_modules/a": {"version": "1.0"}, "node_modules/b": {"version": "2", "optional": True}}
    (tmp_path / "package-lock.json").write_text(json.dumps({"packages": lock}))
    installed = tmp_path / "node_modules" / ".package-lock.json"

    assert not node.is_current(tmp_path)
    installed.parent.mkdir()
    installed.write_text(json.dumps({"packages": {"node_modules/a": {"version": "0.9"}}}))
    assert not node.is_current(tmp_path)
    installed.write_text(json.dumps({"packages": {"node_modules/a": {"version": "1.0"}}}))
    assert node.is_current(tmp_path)


def test_the_lock_file_names_no_place_to_download_from() -> None:
    for folder, package in ((node.FOLDER, "azurite"), (node.FOR_TESTS, "axe-core")):
        locked = json.loads((folder / "package-lock.json").read_text())["packages"]

        assert locked[f"node_modules/{package}"]["version"]
        assert not [name for name, each in locked.items() if "resolved" in each]


def test_a_browser_is_asked_for_by_tests_only() -> None:
    def wanted(those: tuple[Package, ...]) -> list[str]:
        return names(missing(root=True, docker=False, installed=lambda _program: False, packages=those))

    assert wanted(packages.FOR_TESTS) == ["chromium", "fonts-noto-core"]
    assert not set(wanted(packages.FOR_TESTS)) & set(wanted(packages.PACKAGES + packages.FOR_BENCHMARKS))


def test_without_a_right_to_install_the_one_line_to_run_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing_chromium(**_given: object) -> list[Package]:
        return list(packages.FOR_TESTS[:1])

    monkeypatch.setattr(packages, "missing", missing_chromium)
    monkeypatch.setattr(packages, "privilege", lambda: None)
    monkeypatch.setattr(sys, "argv", ["setup", "--tests"])

    assert main() == 2
    said = capsys.readouterr().out
    assert "missing Debian packages: chromium" in said
    assert "sudo sh -c 'apt-get update" in said


def test_two_processes_install_one_after_the_other_and_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Path] = []

    def npm(_command: list[str], cwd: Path, **_given: object) -> "subprocess.CompletedProcess[str]":
        calls.append(cwd)
        (cwd / "node_modules").mkdir()
        (cwd / "node_modules" / ".package-lock.json").write_text((cwd / "package-lock.json").read_text())
        return subprocess.CompletedProcess([], 0)

    (tmp_path / "package-lock.json").write_text(json.dumps({"packages": {"node_modules/a": {"version": "1.0"}}}))
    monkeypatch.setattr(node, "has_npm", lambda: True)
    monkeypatch.setattr(subprocess, "run", npm)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(node.install, [tmp_path] * 4))

    assert calls == [tmp_path]
