"""The script that prepares the VM, as far as it goes without one; ``tests/integration/hub`` runs all of it."""

import grp
import os
import pwd
import re
import subprocess
from pathlib import Path

from infra.hub.custom_data import VM_FILES

SCRIPT = (VM_FILES / "provision.sh").read_text(encoding="utf-8")
ME = f"{pwd.getpwuid(os.getuid()).pw_name}:{grp.getgrgid(os.getgid()).gr_name}"
FUNCTIONS = SCRIPT.removesuffix("main\n")


def run(etc: Path, commands: str, *words: str) -> subprocess.CompletedProcess[str]:
    """The script's functions, and then these commands instead of what it does."""
    return subprocess.run(
        ["sh", "-c", FUNCTIONS + commands, "provision", *words],
        env={**os.environ, "EDGETRAIN_ETC": str(etc)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_file_that_changed_is_counted_and_one_that_did_not_is_not(tmp_path: Path) -> None:
    file = tmp_path / "haproxy.cfg"
    twice = 'echo "$3" > "$1.draft"; put 644 "$2" "$1" < "$1.draft"; put 644 "$2" "$1" < "$1.draft"; say "$changes"'

    assert run(tmp_path, twice, str(file), ME, "a").stdout.splitlines()[-1] == "edgetrain: 1"
    assert run(tmp_path, twice, str(file), ME, "a").stdout == "edgetrain: 0\n"
    assert run(tmp_path, twice, str(file), ME, "b").stdout.splitlines()[-1] == "edgetrain: 1"
    assert file.read_text() == "b\n"


def test_nothing_is_counted_in_a_process_of_its_own() -> None:
    assert re.findall(r"(?<!\|)\|\s*(?:put|folder|changed)\b.*", SCRIPT) == []


def test_a_link_in_the_place_of_a_users_folder_is_refused(tmp_path: Path) -> None:
    (elsewhere := tmp_path / "elsewhere").mkdir(mode=0o755)
    (link := tmp_path / "conf.d").symlink_to(elsewhere)

    refused = run(tmp_path, 'folder 700 "$2" "$1"', str(link), "somebody:somebody")

    assert refused.returncode == 1
    assert "is a link, and must be a folder" in refused.stderr
    assert elsewhere.stat().st_mode & 0o777 == 0o755
    assert "is a link" in (tmp_path / "provision.status").read_text()
