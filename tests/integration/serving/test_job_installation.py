"""``cli.job_installation`` against a real VM: a small lock and the job's own sources."""

import fcntl
import hashlib
import json
import os
import site
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from cli.job_installation import InstalledJob, JobSource, Registry, install_job, job_source
from shared.clients.ssh import connected
from shared.errors import Code, PermanentError
from site_agent.job import VERSION
from site_agent.job.guard.signing import load_key, public_pem
from site_agent.job.installation import load_installation
from tests.support.serving_host import ServingHost

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one wheel, whose .pth file makes the libraries of the tests those of the environment."""
    folder = tmp_path_factory.mktemp("wheels")
    with zipfile.ZipFile(folder / "probe-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("probe.pth", "\n".join(site.getsitepackages()) + "\n")
        archive.writestr("probe-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: probe\nVersion: 1.0\n")
        archive.writestr("probe-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("probe-1.0.dist-info/RECORD", "")
    return folder


@pytest.fixture
def source(wheels: Path) -> JobSource:
    digest = hashlib.sha256((wheels / "probe-1.0-py3-none-any.whl").read_bytes()).hexdigest()
    return replace(job_source(ROOT), lock=f"probe==1.0 --hash=sha256:{digest}\n")


def install(host: ServingHost, source: JobSource, wheels: Path) -> tuple[InstalledJob, list[str]]:
    said: list[str] = []
    registry = Registry(host="registry.example", username="puller", password="canary-password")
    with connected(host.target) as session:
        return install_job(session, source, registries=(registry,), wheels=wheels, say=said.append), said


def test_an_installed_job_runs_and_describes_itself(host: ServingHost, source: JobSource, wheels: Path) -> None:
    installed, said = install(host, source, wheels)

    assert installed.key == source.key
    assert installed.interpreter == f"{host.home}/edgetrain/job/current/bin/python"
    version = subprocess.run(
        [installed.interpreter, "-I", "-m", "site_agent.job", "--version"], capture_output=True, check=True
    )
    assert version.stdout.decode().strip() == VERSION
    installation = load_installation(host.home / "edgetrain/job/installation.json")
    assert installation.home == host.home
    assert installation.engine_environment["CONTAINERS_CONF"] == host.environment["CONTAINERS_CONF"]
    key = load_key(installation.signing_key)
    assert installed.public_key.encode() == public_pem(key)
    load_pem_public_key(installed.public_key.encode())
    assert installation.registry_auth is not None
    assert json.loads(installation.registry_auth.read_text())["auths"].keys() == {"registry.example"}
    assert "canary-password" not in "".join(said)


def test_what_holds_secrets_is_readable_by_the_user_alone(host: ServingHost, source: JobSource, wheels: Path) -> None:
    install(host, source, wheels)

    for name in ("job/installation.json", "keys/site.pem", "keys/registries.json"):
        assert (host.home / "edgetrain" / name).stat().st_mode & 0o077 == 0
    assert (host.home / "edgetrain/keys").stat().st_mode & 0o077 == 0


def test_installing_again_changes_nothing(host: ServingHost, source: JobSource, wheels: Path) -> None:
    first, _ = install(host, source, wheels)
    folder = host.home / "edgetrain/job" / first.key
    before = folder.stat().st_mtime_ns

    again, said = install(host, source, wheels)

    assert again == first
    assert folder.stat().st_mtime_ns == before
    assert any("installed already" in line for line in said)


def test_another_version_takes_the_place_of_one_that_no_run_uses(
    host: ServingHost, source: JobSource, wheels: Path
) -> None:
    old, _ = install(host, source, wheels)
    other = replace(source, files={**source.files, "job/extra.py": b"NEW = 1\n"})
    folder = host.home / "edgetrain/job"
    in_use = os.open(folder / old.key, os.O_RDONLY)
    fcntl.flock(in_use, fcntl.LOCK_SH)  # as a run of that version does
    new, _ = install(host, other, wheels)
    assert (folder / "current").resolve() == folder / new.key
    assert (folder / old.key).is_dir()
    os.close(in_use)

    install(host, other, wheels)

    assert not (folder / old.key).exists()
    assert sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.is_symlink()) == [new.key]
    assert new.public_key == old.public_key


def test_a_library_with_another_hash_is_not_installed(host: ServingHost, source: JobSource, wheels: Path) -> None:
    install(host, source, wheels)
    current = (host.home / "edgetrain/job/current").readlink()
    forged = replace(source, lock="probe==1.0 --hash=sha256:" + "0" * 64 + "\n")

    with pytest.raises(PermanentError) as caught:
        install(host, forged, wheels)

    assert caught.value.code is Code.TARGET_NOT_PREPARED
    assert (host.home / "edgetrain/job/current").readlink() == current
    assert not list((host.home / "edgetrain/job").glob(".building-*"))


def test_a_vm_whose_podman_would_wait_at_every_end_of_a_container_is_refused(
    host: ServingHost, source: JobSource, wheels: Path, tmp_path: Path
) -> None:
    file = Path(host.environment["CONTAINERS_STORAGE_CONF"])
    usual = file.read_text()
    runroot = tmp_path / ("r" * 50)
    file.write_text(f'[storage]\ndriver = "overlay"\ngraphroot = "{tmp_path}/storage"\nrunroot = "{runroot}"\n')
    try:
        with pytest.raises(PermanentError) as refused:
            install(host, source, wheels)
    finally:
        file.write_text(usual)

    assert refused.value.code is Code.TARGET_NOT_PREPARED
    assert str(runroot) in str(refused.value)


def test_the_repository_has_the_job(tmp_path: Path) -> None:
    found = job_source(ROOT)

    assert "job/__main__.py" in found.files
    assert "--hash=sha256:" in found.lock
    with pytest.raises(PermanentError):
        job_source(tmp_path)
