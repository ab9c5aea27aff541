import json
from pathlib import Path

from local_stack.setup import node
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
    packages = json.loads((node.FOLDER / "package-lock.json").read_text())["packages"]

    assert packages["node_modules/azurite"]["version"]
    assert not [name for name, package in packages.items() if "resolved" in package]
