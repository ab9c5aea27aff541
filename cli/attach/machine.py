"""What a VM must have before Azure ML is told of it: seen over SSH, which changes nothing there."""

import hashlib
import socket
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import paramiko

from function_app.doctor import vm_judgements as judged
from function_app.doctor.compute import checks
from shared.clients.azure_ml.compute import job_interpreter
from shared.clients.ssh import connected
from shared.clients.ssh_login import cause_of, link_trouble
from shared.clients.vm_examination import VmFacts, examine_vm
from shared.doctor import State
from shared.errors import Code, PermanentError
from shared.settings import Compute
from shared.values.texts import shortened

_SECONDS: Final = 60.0
_CONNECT_SECONDS: Final = 10.0
_KEY_LINES: Final = "receipt-key="

# $1 the interpreter that Azure ML will be told. One fact a line, the key last; a program that hangs hides no other.
_FACTS: Final = """\
export LC_ALL=C
say() { printf '%s=%s\\n' "$1" "$(printf %s "$2" | tr '\\n' ' ' | head -c 400)"; }
ask() { timeout -k 1 20 "$@" </dev/null 2>&1; }
say home "$HOME"
say preparation "$(cat /etc/edgetrain/provision.status 2>/dev/null)"
say policy "$([ -s edgetrain/policy.yaml ] && echo yes)"
say sites "$(ls .config/edgetrain/sites 2>/dev/null)"
said=$(ask "$1" -I -m site_agent.job --version); say job-status $?; say job "$said"
said=$(ask "$1" -I -m site_agent.job key) && printf 'receipt-key=%s' "$said"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One thing that was looked at. ``needed``: without it, Azure ML cannot use the VM at all."""

    check: str
    right: bool
    found: str
    remedy: str = ""
    needed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What was seen of a VM. ``receipt_key``: verifies what it signs; empty where no job is installed."""

    looks: tuple[Look, ...]
    home: str
    receipt_key: str

    @property
    def usable(self) -> bool:
        """Whether Azure ML can use it."""
        return all(each.right for each in self.looks if each.needed)


def look_at(name: str, compute: Compute) -> Machine:
    """Look at a VM. Raises :class:`PermanentError` or :class:`TransientError` when it cannot be logged in to."""
    if not compute.host_key:
        raise _unpinned(name, compute)
    general = tuple(_general(examine_vm(compute, serves=False, listed=False)))
    with connected(compute) as session:
        told = session.script(_FACTS, job_interpreter(compute), timeout=_SECONDS)
    text, _, key = told.stdout.decode("utf-8", "replace").partition(_KEY_LINES)
    facts = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    return Machine(
        looks=(*general, *_looks(name, compute, facts)),
        home=facts.get("home", ""),
        receipt_key=key.strip() + "\n" if "PUBLIC KEY" in key else "",
    )


def _general(facts: VmFacts) -> Iterator[Look]:
    """What the doctor looks at, too."""
    remedies = {each.name.removeprefix("compute."): each.remedy for each in checks()}
    for name, judge, needed in (
        ("login", judged.login, True),
        ("engine", judged.training_engine, True),
        ("silent_shell", judged.silent, True),
        ("clock", judged.clock, False),
        ("lingering", judged.lingering, False),
    ):
        seen = judge(facts)
        remedy = seen.remedy or remedies[name]
        yield Look(check=name, right=seen.state is not State.WRONG, found=seen.found, remedy=remedy, needed=needed)


def _looks(name: str, compute: Compute, facts: Mapping[str, str]) -> Iterator[Look]:
    prepared = facts.get("preparation", "")
    if prepared:  # by the files of infra/hub; others are prepared by hand
        again = "mend it, then run there: sudo edgetrain-provision"
        yield Look(check="preparation", right=prepared == "ready", found=shortened(prepared), remedy=again)
    yield _home(name, compute, facts.get("home", ""))
    job = facts.get("job", "")
    yield Look(
        check="job",
        right=facts.get("job-status") == "0",
        found=f"job {job}" if facts.get("job-status") == "0" else "the job is not installed, or does not run",
        remedy="run: edgetrain prepare-vm --all --only compute",
    )
    yield Look(
        check="policy",
        right=facts.get("policy") == "yes",
        found="there is a policy" if facts.get("policy") == "yes" else "there is no policy, so no run is allowed",
        remedy="write ~/edgetrain/policy.yaml there, see docs/training-vm.md",
    )
    sites = ", ".join(each.removesuffix(".json") for each in facts.get("sites", "").split())
    yield Look(
        check="sites",
        right=bool(sites),
        found=f"it may read the data of {sites}" if sites else "it has credentials for no site's data",
        remedy="run there: sudo edgetrain-grant-site SITE < FILE, see docs/rights.md",
    )


def _home(name: str, compute: Compute, home: str) -> Look:
    wanted = job_interpreter(compute)
    setting = f"EDGETRAIN_COMPUTES__{name.replace('-', '_').upper()}__HOME"
    return Look(
        check="home",
        right=bool(home) and wanted.startswith(f"{home}/"),
        needed=True,
        found=f"the home is {home}" if home else "the VM does not say where the home is",
        remedy=f"Azure ML would be told {wanted}; set {setting}={home}",
    )


def _unpinned(name: str, compute: Compute) -> PermanentError:
    line = shown_host_key(compute.address, compute.port)
    kind, text = line.split()
    digest = hashlib.sha256(paramiko.PKey.from_type_string(kind, b64decode(text)).asbytes()).digest()
    print_ = b64encode(digest).decode().rstrip("=")
    setting = f"EDGETRAIN_COMPUTES__{name.replace('-', '_').upper()}__HOST_KEY"
    return PermanentError(
        f"{name} is not pinned: compare SHA256:{print_}, which it shows, with the one in the VM's boot diagnostics "
        f"(serial log); if they are the same, set {setting}, or give: --host-key '{line}'",
        code=Code.BAD_CONFIGURATION,
    )


def shown_host_key(address: str, port: int, *, connect: Callable[..., socket.socket] = socket.create_connection) -> str:
    """The key that whatever listens there shows, ``type base64``; nobody is logged in, and nothing is proven by it."""
    try:
        with connect((address, port), timeout=_CONNECT_SECONDS) as stream:
            transport = paramiko.Transport(stream)
            try:
                known = transport.get_security_options().key_types
                transport.get_security_options().key_types = sorted(known, key=lambda kind: kind != "ssh-ed25519")
                transport.start_client(timeout=_CONNECT_SECONDS)
                key = transport.get_remote_server_key()
            finally:
                transport.close()
    except (OSError, EOFError, paramiko.SSHException) as error:
        raise link_trouble(f"SSH to {address}:{port}: {cause_of(error)}") from error
    return f"{key.get_name()} {key.get_base64()}"
