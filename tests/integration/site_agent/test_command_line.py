"""The job's command line, in the isolated mode that it is always started in."""

import subprocess

import pytest

from site_agent.job import VERSION
from site_agent.job.guard.signing import load_key, public_pem
from tests.support.job_installation import InstalledJob


def job(installed: InstalledJob, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [str(installed.python), "-I", "-m", "site_agent.job", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_it_says_its_version_and_what_it_can_do(installed: InstalledJob) -> None:
    assert job(installed, "--version").stdout.strip() == VERSION
    shown = job(installed, "--help")
    assert shown.returncode == 0
    assert all(command in shown.stdout for command in ("run", "sweep", "guard", "key"))


def test_it_shows_the_key_of_the_site_and_makes_no_other(installed: InstalledJob) -> None:
    first, second = job(installed, "key"), job(installed, "key")

    assert first.stdout == second.stdout
    assert first.stdout.encode() == public_pem(load_key(installed.home / "edgetrain/keys/site.pem"))
    assert [path.name for path in (installed.home / "edgetrain/keys").iterdir() if path.name.startswith("tmp")] == []


@pytest.mark.parametrize(
    "arguments", [(), ("run",), ("run", "--ord", "{}"), ("run", "--order", "{}", "--installation", "x")]
)
def test_what_it_does_not_know_is_refused(installed: InstalledJob, arguments: tuple[str, ...]) -> None:
    assert job(installed, *arguments).returncode == 2


def test_outside_of_azure_ml_a_run_fails_and_says_so(installed: InstalledJob) -> None:
    ended = job(installed, "run", "--order", "{}")

    assert ended.returncode == 1
    assert "schema is missing" in ended.stdout
    assert "could not be reported to Azure ML" in ended.stdout


def test_without_an_installation_nothing_runs(installed: InstalledJob) -> None:
    described = installed.folder / "installation.json"
    described.rename(installed.folder / "away")
    try:
        ended = job(installed, "run", "--order", "{}")
    finally:
        (installed.folder / "away").rename(described)

    assert ended.returncode == 1
    assert "installation.json" in ended.stderr
    assert "prepare-vm" in ended.stderr
