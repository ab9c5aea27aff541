"""The script that prepares the VM, as far as it goes without one; ``tests/integration/hub`` runs all of it."""

import grp
import os
import pwd
import re
import subprocess
from pathlib import Path

import pytest

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


USERS_HOME = f"""
owner() {{ case $1 in */home*) echo 12345 ;; *) id -u ;; esac; }}
plant() {{
    for each in "$HOME_OF_USER"/.edgetrain.* "$HOME_OF_USER"/*/.edgetrain.*; do
        [ ! -f "$each" ] || ln -sf "$VICTIM" "$each"
    done
}}
cat() {{ plant; command cat "$@"; }}
chmod() {{ plant; command chmod "$@"; }}
chown() {{ plant; command chown "$@"; }}
mv() {{ plant; command mv "$@"; }}
put 644 {ME} "$HOME_OF_USER/bin/reload" < "$DRAFT"
"""
"""Whoever owns the home sets a link in the place of whatever root makes there, before each step."""


def put_into_a_users_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> subprocess.CompletedProcess[str]:
    (draft := tmp_path / "draft").write_text("written by root")
    (victim := tmp_path / "victim").write_text("precious")
    victim.chmod(0o600)
    for name, path in (("DRAFT", draft), ("VICTIM", victim), ("HOME_OF_USER", tmp_path / "home")):
        monkeypatch.setenv(name, str(path))
    return run(tmp_path, USERS_HOME)


def test_a_user_who_plants_links_gets_nothing_of_roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home := tmp_path / "home" / "bin").mkdir(parents=True)
    (home / "reload").symlink_to(tmp_path / "victim")

    done = put_into_a_users_home(tmp_path, monkeypatch)

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "victim").read_text() == "precious"
    assert (tmp_path / "victim").stat().st_mode & 0o777 == 0o600
    assert not (home / "reload").is_symlink()
    assert (home / "reload").read_text() == "written by root"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["draft", "home", "victim"]


def test_a_folder_that_leads_elsewhere_gets_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (elsewhere := tmp_path / "elsewhere").mkdir()
    (home := tmp_path / "home").mkdir()
    (home / "bin").symlink_to(elsewhere)

    done = put_into_a_users_home(tmp_path, monkeypatch)

    assert done.returncode == 1
    assert "leads to another place" in done.stderr
    assert list(elsewhere.iterdir()) == []
    assert not list(tmp_path.glob(".edgetrain.*"))


@pytest.mark.parametrize(("mode", "safe"), [(0o755, "c"), (0o775, "a"), (0o757, "a"), (0o2775, "a"), (0o1777, "c")])
def test_what_others_may_write_into_is_not_taken_for_roots_alone(tmp_path: Path, mode: int, safe: str) -> None:
    for name in ("a", "a/b", "a/b/c"):
        (tmp_path / name).mkdir(mode=0o755)
    (tmp_path / "a/b").chmod(mode)

    told = run(tmp_path, 'base "$1"', str(tmp_path / "a/b/c"))

    assert Path(told.stdout.strip()).name == safe, told.stderr


def test_a_folder_in_a_users_home_is_made_by_the_user(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    owned = "owner() { case $1 in */home*) echo 12345 ;; *) id -u ;; esac; }"
    steps = f'{owned}; as() {{ echo "as $1"; }}; chown() {{ echo no; }}'

    done = run(tmp_path, f'{steps}; folder 700 somebody:somebody "$1"', str(tmp_path / "home" / "bin"))

    assert done.stdout.splitlines()[0] == "as somebody"
    assert "no" not in done.stdout.splitlines()


@pytest.mark.parametrize(("dies", "status"), [("false", 1), ("cat < /nowhere", 2), ("kill -TERM $$", 143)])
def test_what_dies_on_its_way_is_not_taken_for_ready(tmp_path: Path, dies: str, status: int) -> None:
    (tmp_path / "provision.status").write_text("ready\n")

    assert run(tmp_path, f"step=users; {dies}; say never").returncode == status

    said = (tmp_path / "provision.status").read_text()
    assert said == f"failed: users: it ended with status {status}; see: journalctl -u edgetrain-provision\n"
