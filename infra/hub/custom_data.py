"""The VM's custom data: cloud-init's document with the files that prepare the VM. No secret is in it, only public keys.

Whoever may read the VM's template can read its custom data, and root on the VM can at any time.
"""

import base64
import gzip
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from shared.clients.ssh_keys import KeyTextError, host_key_line
from shared.errors import Code, PermanentError
from site_agent.job.policy import PolicyError, parse_policy

HERE: Final = Path(__file__).resolve().parent
VM_FILES: Final = HERE / "vm"
MOST_BYTES: Final = 65_535
"""Of custom data, before it is encoded in base64 (Azure's limit; a hub has the same API)."""

ETC: Final = "/etc/edgetrain"
_LIBRARY: Final = "/usr/local/lib/edgetrain"
_PLACES: Final = {
    "provision.sh": ("/usr/local/sbin/edgetrain-provision", 0o755),
    "grant-site.sh": ("/usr/local/sbin/edgetrain-grant-site", 0o755),
    "edgetrain-provision.service": ("/etc/systemd/system/edgetrain-provision.service", 0o644),
    "haproxy.cfg": (f"{_LIBRARY}/haproxy.cfg", 0o644),
    "haproxy-edgetrain.service": (f"{_LIBRARY}/haproxy-edgetrain.service", 0o644),
    "reload-haproxy": (f"{_LIBRARY}/reload-haproxy", 0o644),
    "reload_haproxy.py": (f"{_LIBRARY}/reload_haproxy.py", 0o644),
    "sshd_common.conf": (f"{_LIBRARY}/sshd_common.conf", 0o644),
    "delegate.conf": (f"{_LIBRARY}/delegate.conf", 0o644),
}
_USER: Final = re.compile(r"[a-z][a-z0-9-]{0,30}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A file that the VM fetches. ``url``: may carry a signature that reads this one file."""

    url: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VmPlan:
    """What is to be on the VM. Keys are public ones, one line each.

    ``policy``: the site's policy; ``data_disk``: a device, or ``none``; ``job`` with ``job_key`` is a bundle of
    :mod:`infra.hub.job_bundle`; ``python``: a build of Python 3.11 for a system that has none.
    """

    training_key: str
    serving_key: str
    policy: str
    training_user: str = "edgetrain"
    serving_user: str = "edgetrain-serving"
    data_disk: str = "/dev/disk/azure/scsi1/lun0"
    job: Download | None = None
    job_key: str = ""
    python: Download | None = None


@dataclass(frozen=True, slots=True)
class VmFile:
    """A file as it is laid on the VM."""

    path: str
    content: bytes
    mode: int


def files(plan: VmPlan) -> list[VmFile]:
    """Everything that is laid on the VM; raises :class:`PermanentError` with what is wrong in the plan."""
    _check(plan)
    own = [VmFile(path, (VM_FILES / name).read_bytes(), mode) for name, (path, mode) in _PLACES.items()]
    return [
        *own,
        VmFile(f"{ETC}/hub.env", "".join(_settings(plan)).encode(), 0o600),
        VmFile(f"{ETC}/policy.yaml", plan.policy.encode(), 0o644),
        VmFile(f"{ETC}/keys/training.pub", _key_line(plan.training_key, "training").encode(), 0o644),
        VmFile(f"{ETC}/keys/serving.pub", _key_line(plan.serving_key, "serving").encode(), 0o644),
    ]


def custom_data(plan: VmPlan) -> str:
    """cloud-init's document; raises :class:`PermanentError` when it is too large for a VM, or the plan is wrong."""
    document: dict[str, Any] = yaml.safe_load((HERE / "cloud-init.yaml").read_text(encoding="utf-8"))
    document["write_files"] = [
        {"path": each.path, "permissions": f"{each.mode:04o}", "encoding": "gz+b64", "content": _packed(each.content)}
        for each in files(plan)
    ]
    text = "#cloud-config\n" + yaml.safe_dump(document, sort_keys=False, width=1_000_000)
    if len(text) > MOST_BYTES:
        raise _wrong(f"the custom data has {len(text)} bytes, and a VM takes {MOST_BYTES}; shorten the policy")
    return text


def _packed(content: bytes) -> str:
    return base64.b64encode(gzip.compress(content, 9, mtime=0)).decode("ascii")


def _settings(plan: VmPlan) -> Iterator[str]:
    values = {"TRAINING_USER": plan.training_user, "SERVING_USER": plan.serving_user, "DATA_DISK": plan.data_disk}
    if plan.job is not None:
        values |= {"JOB_URL": plan.job.url, "JOB_SHA256": plan.job.sha256, "JOB_KEY": plan.job_key}
    if plan.python is not None:
        values |= {"PYTHON_URL": plan.python.url, "PYTHON_SHA256": plan.python.sha256}
    for name, value in values.items():
        yield f"{name}={shlex.quote(value)}\n"


def _check(plan: VmPlan) -> None:
    for user in (plan.training_user, plan.serving_user):
        if not _USER.fullmatch(user) or user == "root":
            raise _wrong(f"{user!r} is no name for a user; give small letters, digits and hyphens, and not root")
    if plan.training_user == plan.serving_user:
        raise _wrong("trainings and models need users of their own; give two names")
    if plan.data_disk != "none" and not plan.data_disk.startswith("/dev/"):
        raise _wrong(f"{plan.data_disk!r} is no disk; give a path below /dev, or none")
    for what, download in (("the job", plan.job), ("Python", plan.python)):
        if download is not None and not _DIGEST.fullmatch(download.sha256):
            raise _wrong(f"the digest of {what} is no SHA-256; give the 64 hexadecimal digits that sha256sum prints")
    if plan.job is not None and not plan.job_key:
        raise _wrong("the key of the job is missing; give the one that `python -m infra.hub job` printed")
    try:
        parse_policy(plan.policy.encode(), file="policy.yaml")
    except PolicyError as error:
        raise _wrong(str(error)) from error


def _key_line(text: str, what: str) -> str:
    """One public key as OpenSSH writes it; whoever gives a private one is told so before it goes anywhere."""
    if "PRIVATE KEY" in text:
        raise _wrong(f"the key for {what} is a private key; give its public half: ssh-keygen -y -f FILE")
    try:
        line = host_key_line(text)
        load_ssh_public_key(line.encode())
    except (KeyTextError, ValueError, UnsupportedAlgorithm) as error:
        raise _wrong(f"the key for {what} is no public key in OpenSSH's form: ssh-ed25519 AAAA...") from error
    return line + "\n"


def _wrong(reason: str) -> PermanentError:
    return PermanentError(reason, code=Code.BAD_CONFIGURATION)
