"""Which processes are those of a run that was killed."""

from pathlib import Path

import pytest

from tests.support.own_run import _names

FOLDER = Path("/tmp/a run/pytest-1")


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ([b"cat", b"/tmp/a run/pytest-1/file"], True),
        ([b"podman", b"--root=/tmp/a run/pytest-1/storage"], True),
        ([b"cat", b"/tmp/a run/pytest-11/file"], False),
        ([b"less", b"notes on pytest-1/file"], False),
    ],
)
def test_a_path_below_the_folder_names_it(command: list[bytes], found: bool) -> None:
    assert _names(command, FOLDER) is found


def test_so_does_one_in_the_title_that_sshd_writes_over_its_command_line() -> None:
    title = b"sshd: /usr/sbin/sshd -D -e -f /tmp/pytest-1/vm/etc/sshd_config [listener] 0 of 100-100 startups"

    assert _names([title, b""], Path("/tmp/pytest-1"))
    assert not _names([title, b""], Path("/tmp/pytest"))
