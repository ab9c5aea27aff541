"""Install the job that trains in sealed containers on a VM, over SSH: once per version, safe to repeat.

::

    ~/edgetrain/job/<key>/           a virtual environment with the locked libraries and the job's sources
    ~/edgetrain/job/current          a link to the version in use, switched last
    ~/edgetrain/job/installation.json
    ~/edgetrain/keys/site.pem        the site's key, which signs receipts; made on the VM, and it never leaves it
    ~/edgetrain/keys/registries.json pull-only credentials

``<key>`` is a digest of sources and lock. A version that no run uses any more is removed.
"""

import base64
import hashlib
import io
import json
import sys
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from shared.clients.ssh import SshSession
from shared.clients.vm_containers import LONGEST_RUNROOT
from shared.errors import Code, PermanentError

FOLDER: Final = "edgetrain/job"
POLICY: Final = "edgetrain/policy.yaml"
INSTALL_SECONDS: Final = 1800.0
_UPLOAD_SECONDS: Final = 600.0
_ENGINE_SECONDS: Final = 120.0
_KEYS: Final = "edgetrain/keys"
_REGISTRIES: Final = f"{_KEYS}/registries.json"
_ENGINE_VARIABLES: Final = (
    "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
    "CONTAINERS_CONF",
    "CONTAINERS_STORAGE_CONF",
    "CONTAINERS_REGISTRIES_CONF",
    "REGISTRY_AUTH_FILE",
)
"""Of the operator's session on the VM: what podman goes by there."""

# $1 folder of the job, $2 key, $3 Python's version, $4 folder with wheels or empty; the sources as tar on stdin.
# It is built under another name, so that a folder with the right name is complete.
INSTALL_SCRIPT: Final = """\
set -e
umask 077
mkdir -p "$1"
cd "$1"; key=$2; version=$3; wheels=$4
exec 9>.lock
flock 9
[ -x "$key/bin/python" ] && { cat >/dev/null; echo present; exit 0; }
rm -rf .building-*
new=.building-$key; log=$key.log
trap 'rm -rf "$new"' EXIT
trap 'exit 143' HUP INT TERM
python=$(command -v "python$version" || command -v python3) || { echo "there is no python$version" >&2; exit 1; }
"$python" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$version')" || {
    echo "$python is not Python $version" >&2; exit 1
}
{
    "$python" -m venv "$new" &&
    "$new/bin/python" -m pip install --no-input --disable-pip-version-check --require-hashes \
        ${wheels:+--no-index --find-links "$wheels"} --requirement ".locks/$key.txt"
} >"$log" 2>&1 </dev/null || { tail -n 5 "$log" >&2; exit 1; }
tar -xf - -C "$new/lib/python$version/site-packages"
"$new/bin/python" -I -m compileall -q "$new/lib/python$version/site-packages/site_agent"
"$new/bin/python" -I -m site_agent.job --version >/dev/null
mv "$new" "$key"
echo installed
"""

# $1 folder of the job, $2 key. Runs hold a lock on the folder of their version.
SWITCH_SCRIPT: Final = """\
set -e
cd "$1"
ln -sfn "$2" .current.new
mv -fT .current.new current
for old in *; do
    [ -d "$old" ] && [ ! -L "$old" ] && [ "$old" != "$2" ] && flock --nonblock "$old" rm -rf "$old" || true
done
rm -rf .locks .wheels
"""
_FACTS: Final = 'printf "%s\\n" "$HOME" "$PATH"; for name in "$@"; do eval "printf \'%s\\n\' \\"\\${$name-}\\""; done'
_ENGINE: Final = 'command -v podman >/dev/null || { echo "podman is not installed" >&2; exit 1; }'
_RUNROOT: Final = "podman info --format '{{.Store.RunRoot}}'"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSource:
    """A version of the job. ``files``: path below ``site_agent/`` -> content; ``lock``: hashed requirements."""

    files: Mapping[str, bytes] = field(repr=False)
    lock: str = field(repr=False)

    @property
    def key(self) -> str:
        """What names the version on the VM."""
        digest = hashlib.sha256(self.lock.encode())
        for name, content in sorted(self.files.items()):
            digest.update(f"\n{name}\n{hashlib.sha256(content).hexdigest()}".encode())
        return digest.hexdigest()[:16]

    def tar(self) -> bytes:
        """The sources as they are unpacked beside the libraries."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for name, content in sorted(self.files.items()):
                entry = tarfile.TarInfo(f"site_agent/{name}")
                entry.size, entry.mode = len(content), 0o600
                archive.addfile(entry, io.BytesIO(content))
        return packed.getvalue()


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledJob:
    """What is on the VM now. ``public_key``: PEM, which verifies the receipts of the site."""

    key: str
    interpreter: str
    public_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """Where the VM pulls images, as a user that may not push."""

    host: str
    username: str
    password: str = field(repr=False)


def job_source(root: Path) -> JobSource:
    """The job of a repository; raises :class:`PermanentError` when it is not there."""
    package = root / "site_agent"
    try:
        lock = (package / "requirements.txt").read_text(encoding="utf-8")
    except OSError:
        reason = f"{package} has no requirements.txt, so the job is not part of this installation; use the repository"
        raise PermanentError(reason, code=Code.BAD_CONFIGURATION) from None
    files = {
        path.relative_to(package).as_posix(): path.read_bytes()
        for path in sorted(package.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith("requirements")
    }
    return JobSource(files=files, lock=lock)


def install_job(
    session: SshSession,
    source: JobSource,
    *,
    registries: tuple[Registry, ...] = (),
    environment: Mapping[str, str] | None = None,
    wheels: Path | None = None,
    say: Callable[[str], None],
) -> InstalledJob:
    """Make a version of the job the one that the VM uses.

    ``environment``: variables for the job itself, such as a proxy to reach Azure. ``wheels``: a folder with the locked
    libraries, for a VM without a package index. Raises :class:`PermanentError` with what the VM said.
    """
    found = session.script(_ENGINE)
    if found.status != 0:
        raise _refused(session, f"{found.said}; install podman there")
    _check_runroot(session)
    _install(session, source, wheels, say)
    _configure(session, source.key, registries, environment or {})
    session.expect(session.script(SWITCH_SCRIPT, FOLDER, source.key), "switching to the installed job")
    public_key = _public_key(session)
    say(f"{session.label}: job {source.key} is in use; receipts of this site are verified with:\n{public_key}")
    if session.read_text(POLICY) is None:
        say(f"{session.label}: there is no ~/{POLICY}, so no run is allowed yet; write one, see docs/training-vm.md")
    home = session.expect(session.script('printf %s "$HOME"'), "asking for the home").stdout.decode()
    return InstalledJob(key=source.key, interpreter=f"{home}/{FOLDER}/current/bin/python", public_key=public_key)


def _check_runroot(session: SshSession) -> None:
    asked = session.script(_RUNROOT, timeout=_ENGINE_SECONDS)
    if asked.status != 0:
        raise _refused(session, f"podman does not work there: {asked.said}; try: podman info")
    runroot = asked.stdout.decode().strip()
    if len(runroot) > LONGEST_RUNROOT:
        why = f"podman's runroot, {runroot}, has more than {LONGEST_RUNROOT} characters, with which it waits 20 s"
        remedy = (
            "set a shorter one in containers/storage.conf, such as /run/user/UID/containers; then: podman system reset"
        )
        raise _refused(session, f"{why} at the end of containers; {remedy}")


def _install(session: SshSession, source: JobSource, wheels: Path | None, say: Callable[[str], None]) -> None:
    key = source.key
    if session.run(["test", "-x", f"{FOLDER}/{key}/bin/python"]).status == 0:
        say(f"{session.label}: job {key} is installed already")
        return
    session.write_text(f"{FOLDER}/.locks/{key}.txt", source.lock)
    if wheels is not None:
        _upload(session, wheels)
    say(f"{session.label}: installing job {key}; pip writes ~/{FOLDER}/{key}.log")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    place = ".wheels" if wheels is not None else ""
    built = session.script(INSTALL_SCRIPT, FOLDER, key, version, place, stdin=source.tar(), timeout=INSTALL_SECONDS)
    if built.status != 0:
        raise _refused(session, f"job {key} cannot be installed: {built.said}")
    say(f"{session.label}: job {key} is installed")


def _upload(session: SshSession, wheels: Path) -> None:
    session.expect(session.run(["mkdir", "-p", f"{FOLDER}/.wheels"]), "making a folder for wheels")
    for wheel in sorted(wheels.glob("*.whl")):
        sent = session.script(
            'cat > "$1"', f"{FOLDER}/.wheels/{wheel.name}", stdin=wheel.read_bytes(), timeout=_UPLOAD_SECONDS
        )
        session.expect(sent, f"sending {wheel.name}")


def _configure(session: SshSession, key: str, registries: tuple[Registry, ...], environment: Mapping[str, str]) -> None:
    asked = session.expect(session.script(_FACTS, *_ENGINE_VARIABLES), "asking for podman's surroundings")
    home, path, *values = asked.stdout.decode().split("\n")
    surroundings = {name: value for name, value in zip(_ENGINE_VARIABLES, values, strict=False) if value}
    described = describe_installation(key, home=home, path=path, surroundings=surroundings, environment=environment)
    if registries:
        session.write_text(_REGISTRIES, _credentials(registries))
        described["registry_auth"] = f"~/{_REGISTRIES}"
    session.write_text(f"{FOLDER}/installation.json", json.dumps(described, indent=2, sort_keys=True) + "\n")


def describe_installation(
    key: str, *, home: str, path: str, surroundings: Mapping[str, str], environment: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The content of ``installation.json``. ``surroundings``: what podman goes by; ``environment``: for the job."""
    return {
        "version": key,
        "home": home,
        "policy": f"~/{POLICY}",
        "state": "~/edgetrain/state",
        "sites": "~/.config/edgetrain/sites",
        "signing_key": f"~/{_KEYS}/site.pem",
        "path": path,
        "engine": "podman",
        "engine_environment": dict(surroundings),
        "environment": dict(environment or {}),
    }


def _credentials(registries: tuple[Registry, ...]) -> str:
    """In the form of ``containers-auth.json(5)``."""
    pairs = {each.host: f"{each.username}:{each.password}" for each in registries}
    encoded = {host: {"auth": base64.b64encode(pair.encode()).decode()} for host, pair in pairs.items()}
    return json.dumps({"auths": encoded}, sort_keys=True) + "\n"


def _public_key(session: SshSession) -> str:
    made = session.run([f"{FOLDER}/current/bin/python", "-I", "-m", "site_agent.job", "key"], timeout=60)
    if made.status != 0:
        raise _refused(session, f"the site's key cannot be made or read: {made.said}")
    return made.stdout.decode("ascii").strip() + "\n"


def _refused(session: SshSession, trouble: str) -> PermanentError:
    return PermanentError(f"{session.label}: {trouble}", code=Code.TARGET_NOT_PREPARED)
