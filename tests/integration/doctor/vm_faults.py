"""What can be wrong with a VM that trains or serves."""

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from local_stack.stack_hub.site_keys import ensure_key as ensure_signing_key
from local_stack.stack_hub.ssh_keys import ensure_key
from shared.doctor import State
from tests.integration.doctor.hub_faults import nothing
from tests.integration.doctor.lab import PIPELINE, Fault, Lab

Changes = Mapping[str, str]
COMPUTE, TARGET = "EDGETRAIN_COMPUTES__HUB_VM__", "EDGETRAIN_TARGETS__HUB_VM__"
WRONG, UNKNOWN, OK = State.WRONG, State.UNKNOWN, State.OK
SYSTEMD = 'case "$*" in *running*) echo running ;; *is-enabled*) echo {} ;; *) echo haproxy.service ;; esac'


def another_host_key(part: str) -> Any:
    @contextmanager
    def plant(lab: Lab) -> Iterator[Changes]:
        with tempfile.TemporaryDirectory() as folder:
            yield {f"{part}HOST_KEY": ensure_key(Path(folder) / "key")}

    return plant


@contextmanager
def another_private_key(lab: Lab) -> Iterator[Changes]:
    with tempfile.TemporaryDirectory() as folder:
        key = Path(folder) / "key"
        ensure_key(key)
        yield {f"{COMPUTE}PRIVATE_KEY": key.read_text(encoding="ascii")}


@contextmanager
def vm_is_down(lab: Lab) -> Iterator[Changes]:
    with nothing() as port:
        yield {f"{COMPUTE}PORT": str(port)}


def file(name: str, text: str) -> Any:
    """A file below the home has another content, or is there and should not be."""

    @contextmanager
    def plant(lab: Lab) -> Iterator[Changes]:
        path = lab.home / name
        before = path.read_bytes() if path.exists() else None
        path.write_text(text, encoding="utf-8")
        try:
            yield {}
        finally:
            path.unlink() if before is None else path.write_bytes(before)

    return plant


def without(name: str) -> Any:
    """A file or link below the home is not there."""

    @contextmanager
    def plant(lab: Lab) -> Iterator[Changes]:
        path = lab.home / name
        away = path.with_name(f".{path.name}.away")
        path.rename(away)
        try:
            yield {}
        finally:
            away.rename(path)

    return plant


def mode(name: str, bits: int) -> Any:
    @contextmanager
    def plant(lab: Lab) -> Iterator[Changes]:
        path = lab.home / name
        before = path.stat().st_mode & 0o7777
        path.chmod(bits)
        try:
            yield {}
        finally:
            path.chmod(before)

    return plant


def programs(**scripts: str) -> Any:
    """Programs of the VM say something else."""

    @contextmanager
    def plant(lab: Lab) -> Iterator[Changes]:
        paths = {lab.home / "bin" / name: text for name, text in scripts.items()}
        try:
            for path, text in paths.items():
                path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
                path.chmod(0o700)
            yield {}
        finally:
            for path in paths:
                path.unlink(missing_ok=True)

    return plant


@contextmanager
def full_disk(lab: Lab) -> Iterator[Changes]:
    place = lab.home / "edgetrain" / "state"
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", place], check=True)
    try:
        yield {}
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


@contextmanager
def another_key_for_data(lab: Lab) -> Iterator[Changes]:
    path = lab.home / ".config" / "edgetrain" / "sites" / "factory.json"
    site = json.loads(path.read_text(encoding="utf-8"))
    site["connection_string"] = re.sub("AccountKey=....", "AccountKey=AAAA", site["connection_string"])
    with file(str(path.relative_to(lab.home)), json.dumps(site))(lab) as changes:
        yield changes


@contextmanager
def another_receipt_key(lab: Lab) -> Iterator[Changes]:
    with tempfile.TemporaryDirectory() as folder:
        yield {f"{COMPUTE}RECEIPT_KEY": ensure_signing_key(Path(folder) / "key.pem")}


@contextmanager
def dead_run(lab: Lab) -> Iterator[Changes]:
    folder = lab.home / "edgetrain" / "state" / "runs" / "a-dead-run"
    folder.mkdir(parents=True)
    try:
        yield {}
    finally:
        shutil.rmtree(folder)


@contextmanager
def container_of_nobody(lab: Lab) -> Iterator[Changes]:
    environment = {**os.environ, **lab.stack._plan.engine.environment}

    def podman(*arguments: str) -> None:
        subprocess.run(["podman", *arguments], env=environment, check=True, capture_output=True, timeout=60)

    with ExitStack() as exits:
        root = exits.enter_context(tempfile.TemporaryDirectory())
        podman("create", "--name", "edgetrain-long-gone-blue", "--rootfs", root, "/bin/true")
        exits.callback(podman, "rm", "--force", "edgetrain-long-gone-blue")
        yield {}


@contextmanager
def haproxy_is_down(lab: Lab) -> Iterator[Changes]:
    lab.stack.stop_service("haproxy")
    try:
        yield {}
    finally:
        lab.stack.start_service("haproxy")


PODMAN = shutil.which("podman") or "podman"
OLD_PODMAN = f'[ "$1" = info ] || exec {PODMAN} "$@"; {PODMAN} "$@" | sed \'s/^[0-9.]*|/3.4.4|/\''
LATE = "exec /bin/date -d '10 minutes ago' \"$@\""
NOBODY = 'case "$*" in -u) echo 1000 ;; -un) echo edge ;; *) exec /usr/bin/id "$@" ;; esac'
POLICY = "edgetrain/policy.yaml"
POLICY_OF_OTHERS = "registries: [elsewhere.example]\npipelines: {}\n"


def compute(name: str, check: str, plant: Any, state: State = WRONG) -> Fault:
    return Fault(name, "compute", {f"compute.{check}": state}, plant)


def target(name: str, check: str, plant: Any, state: State = WRONG) -> Fault:
    return Fault(name, "targets", {f"target.{check}": state}, plant)


TOGETHER = (
    (compute("the VM shows another host key", "login", another_host_key(COMPUTE)),),
    (compute("the VM does not take the key", "login", another_private_key),),
    (compute("the VM is down", "login", vm_is_down, UNKNOWN),),
    (compute("the login shell runs nothing", "login", file(".bashrc", "exit 0\n")),),
    (compute("no job is installed", "job", without("edgetrain/job/current")),),
    (
        compute("the shell greets", "silent_shell", file(".bashrc", "echo Welcome to the factory\n")),
        compute("the VM's clock is late", "clock", programs(date=LATE)),
        compute("the disk is full", "disk", full_disk),
        compute(
            "others can read the key to the data", "credentials", mode(".config/edgetrain/sites/factory.json", 0o644)
        ),
        compute("receipts are signed with another key", "receipt_key", another_receipt_key),
        compute("the policy is no YAML", "policy", file(POLICY, "registries: [\n")),
    ),
    (
        compute("podman is too old", "engine", programs(podman=OLD_PODMAN)),
        compute(
            "the user does not linger",
            "lingering",
            programs(systemctl=SYSTEMD.format("enabled"), loginctl="echo no", id=NOBODY),
        ),
        compute("the policy allows something else", "policy", file(POLICY, POLICY_OF_OTHERS)),
        compute("the VM's key to the data was changed", "data", another_key_for_data),
        compute("a dead run was left", "orphans", dead_run),
        compute("others can read the pull password", "pull_credentials", mode("edgetrain/keys/registries.json", 0o644)),
    ),
    (target("another machine serves", "reached", another_host_key(TARGET)),),
    (target("HAProxy is down", "haproxy", haproxy_is_down, UNKNOWN),),
    (
        target("everybody may tell HAProxy what to do", "haproxy_socket", mode("serving/haproxy.sock", 0o666)),
        target("no slot was made", "slots", without(f"serving/{PIPELINE}.json")),
        target("a container is nobody's", "orphans", container_of_nobody),
        target("nothing starts containers", "after_reboot", programs(systemctl=SYSTEMD.format("disabled"))),
        target("the VM's clock is late", "clock", programs(date=LATE)),
    ),
)
