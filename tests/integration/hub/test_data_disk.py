"""The data disk: waited for, formatted only when it is empty, mounted again after a reboot."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.hub.conftest import PreparedVm

pytestmark = pytest.mark.long
FOLDER = "/srv/disk"


@pytest.fixture
def elsewhere(vm: PreparedVm) -> Iterator[PreparedVm]:
    """The VM with other users, whose homes are to be on a disk."""
    settings = vm.root.at("etc/edgetrain/hub.env")
    before = settings.read_text()
    for name, value in (
        ("DATA_FOLDER", FOLDER),
        ("DATA_DISK_SECONDS", "0"),
        ("TRAINING_USER", "trains"),
        ("SERVING_USER", "serves"),
    ):
        vm.root.settle(name, value)
    yield vm
    settings.write_text(before)
    assert vm.root.provision().returncode == 0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[str]:
    file = tmp_path / "disk"
    with file.open("wb") as stream:
        stream.truncate(64 * 1024 * 1024)
    made = subprocess.run(["losetup", "--find", "--show", file], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        pytest.skip(f"needs loop devices: {made.stderr.strip()}")
    yield made.stdout.strip()
    subprocess.run(["losetup", "--detach", made.stdout.strip()], check=True)


def test_a_disk_that_is_not_there_is_named(elsewhere: PreparedVm) -> None:
    elsewhere.root.settle("DATA_DISK", "/dev/disk/azure/scsi1/lun0")
    done = elsewhere.root.provision()

    assert done.returncode == 1
    assert "data disk: there is no disk /dev/disk/azure/scsi1/lun0; attach the data disk at LUN 0" in done.stderr
    assert elsewhere.root.run("id", "trains").returncode != 0


def test_a_disk_with_something_else_is_left_alone(elsewhere: PreparedVm, disk: str) -> None:
    subprocess.run(["mkswap", disk], check=True, capture_output=True)
    before = Path(disk).read_bytes()
    elsewhere.root.settle("DATA_DISK", disk)
    done = elsewhere.root.provision()

    assert done.returncode == 1
    assert "holds something else than ext4" in done.stderr
    assert Path(disk).read_bytes() == before


def test_an_empty_disk_is_formatted_once_and_mounted_after_every_reboot(elsewhere: PreparedVm, disk: str) -> None:
    root = elsewhere.root
    root.settle("DATA_DISK", disk)
    root.shell(f"mkdir -p {FOLDER}; touch {FOLDER}/somebodys")
    hidden = root.provision()
    assert (hidden.returncode, "which the disk would hide" in hidden.stderr) == (1, True)
    root.shell(f"rm {FOLDER}/somebodys")

    done = root.provision()
    try:
        assert done.returncode == 0, done.stderr
        assert f"formatted {disk}" in done.stdout
        assert root.shell(f"findmnt -n -o FSTYPE,OPTIONS {FOLDER}").split()[0] == "ext4"
        assert "nosuid" in root.shell(f"findmnt -n -o OPTIONS {FOLDER}")
        assert "ready, 0 changes" in root.provision().stdout

        root.shell(f"echo canary > {FOLDER}/trains/kept; umount {FOLDER}")
        again = root.provision()
        assert again.returncode == 0, again.stderr
        assert "formatted" not in again.stdout
        assert root.shell(f"cat {FOLDER}/trains/kept") == "canary\n"
        assert root.shell(f"grep -c ' {FOLDER} ext4 ' /etc/fstab").strip() == "1"
    finally:
        root.shell(f"umount {FOLDER}")
