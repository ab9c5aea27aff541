"""Checks of the VMs that train, over one SSH session each."""

from collections.abc import Mapping
from typing import Any, Final, cast

from function_app.composition import Services
from function_app.doctor import vm_judgements as judged
from function_app.doctor.clocks import MOST_SKEW
from function_app.doctor.images import dependency_image
from function_app.doctor.machines import Machines, trained_on
from shared.clients.vm_examination import VmFacts
from shared.doctor import Check, Kind, Seen, ok, skipped, unknown, wrong
from shared.errors import EdgetrainError, PermanentError
from shared.signing.keys import key_id, public_key

_SECONDS: Final = 40.0
_PREPARE: Final = "run: edgetrain prepare-vm --only compute"
_OTHERS_MODE: Final = "docs/training-vm.md says what must be there"


def checks(only: frozenset[str] | None = None) -> tuple[Check[Services], ...]:
    """The checks, for one examination; ``only``: the pipelines that the VMs are looked at for, None for all."""
    machines = Machines(only)
    on, on_job = machines.on_compute, machines.on_job

    def asked(services: Services, name: str, what: str) -> list[str]:
        return [str(getattr(each.train.resources, what)) for each in machines.trained_on(services, name)]

    def check(name: str, look: Any, *, wanted: str, why: str, remedy: str, for_runs: bool = False) -> Check[Services]:
        return Check(
            name=f"compute.{name}",
            about=Kind.COMPUTE,
            wanted=wanted,
            why=why,
            remedy=remedy,
            look=look,
            seconds=_SECONDS,
            for_runs=for_runs,
        )

    return (
        check(
            "login",
            lambda services, name: judged.login(machines.compute(services, name)),
            wanted="the VM is the one that is pinned, takes the key, and runs commands",
            why="Azure ML and the app reach it by SSH only",
            remedy="see that it is up; check ADDRESS, USERNAME, PRIVATE_KEY and HOST_KEY of the compute",
            for_runs=True,
        ),
        check(
            "silent_shell",
            on(lambda facts, *_: judged.silent(facts)),
            wanted="the login shell prints nothing in a session without a terminal",
            why="Azure ML's file transfer (SFTP) takes what is printed for an answer, and breaks",
            remedy="print only where there is a terminal: begin ~/.bashrc with: case $- in *i*) ;; *) return ;; esac",
        ),
        check(
            "clock",
            on(lambda facts, *_: judged.clock(facts)),
            wanted=f"its clock and the app's differ by less than {MOST_SKEW:.0f} s",
            why="sign-ins and signatures end by the clock, and what a run took is told by it",
            remedy="run there as root: timedatectl set-ntp true",
        ),
        check(
            "engine",
            on(lambda facts, *_: judged.training_engine(facts)),
            wanted="podman 4.3 or newer works for the user, with limits that hold",
            why="training code runs in sealed containers only",
            remedy="install podman there; docs/training-vm.md says what it needs",
            for_runs=True,
        ),
        check(
            "lingering",
            on(lambda facts, *_: judged.lingering(facts)),
            wanted="a user without root keeps running programs after the last session",
            why="containers of a training end when Azure ML's session does",
            remedy="run there as root: loginctl enable-linger USER",
        ),
        check(
            "disk",
            on(lambda facts, services, name: judged.disk(facts, asked(services, name, "disk"))),
            wanted="as much is free as a run may write",
            why="a full disk ends runs, and what is left half written takes longer to find",
            remedy="make room there: podman image prune, and ~/edgetrain/state/kept, or a larger disk",
            for_runs=True,
        ),
        check(
            "memory",
            on(lambda facts, services, name: judged.memory(facts, asked(services, name, "memory"))),
            wanted="the VM has the memory that a training may use",
            why="the kernel ends what needs more than there is",
            remedy="lower train.resources.memory of the pipeline, or take a larger VM",
        ),
        check(
            "job",
            on(_job),
            wanted="the job that trains is installed, and of this version",
            why="it hands data to training code and decides what leaves the site",
            remedy=_PREPARE,
            for_runs=True,
        ),
        check(
            "policy",
            on_job(lambda job, *_: _told(job, "policy", "it allows what the pipelines ask")),
            wanted="the site's policy can be read, and allows what the pipelines ask",
            why="what it does not allow is not done: every run would be refused",
            remedy="have the site's owner correct ~/edgetrain/policy.yaml: docs/training-vm.md",
            for_runs=True,
        ),
        check(
            "credentials",
            on_job(lambda job, *_: _all(job, "credentials", "they are there, and the user's alone")),
            wanted="~/.config/edgetrain/sites/SITE.json is there, with mode 0600",
            why="the key to the data lies in it: the job uses none that others can read",
            remedy=f"run there: chmod 600 ~/.config/edgetrain/sites/*.json; {_OTHERS_MODE}",
            for_runs=True,
        ),
        check(
            "data",
            on_job(lambda job, *_: _all(job, "data", "the VM may read them")),
            wanted="the VM may read the data of its pipelines on the hub",
            why="the pattern rests on it: data are read there and nowhere else",
            remedy="give the VM's signature the right to read (docs/rights.md), and see that it reaches the hub",
            for_runs=True,
        ),
        check(
            "receipt_key",
            on_job(_receipt_key),
            wanted="the VM signs receipts with the key that the settings have",
            why="a model whose receipt is signed with another key is not used",
            remedy="if the VM was prepared anew, put the key that edgetrain prepare-vm says into RECEIPT_KEY",
            for_runs=True,
        ),
        check(
            "pull_credentials",
            on_job(lambda job, *_: _told(job, "registry", "they are those of the settings")),
            wanted="the VM pulls images with the user that the settings have for it",
            why="images that are not on the VM yet cannot be had",
            remedy=_PREPARE,
        ),
        check(
            "base_images",
            on(_base_images),
            wanted="the images that its pipelines train in are on the VM",
            why="the first run of each pulls some hundred megabytes",
            remedy="nothing: the next run of the pipeline pulls it",
        ),
        check(
            "orphans",
            on_job(
                lambda job, *_: _told(
                    job, "left", "there is nothing", before="runs that are dead have left something, "
                )
            ),
            wanted="nothing is left of runs whose job is dead",
            why="containers that nobody ends take memory from those that train",
            remedy="run there: ~/edgetrain/job/current/bin/python -I -m site_agent.job sweep",
        ),
    )


def _job(facts: VmFacts, *_: object) -> Seen:
    if not facts.has_job:
        return wrong("no job is installed there")
    if isinstance(facts.job, PermanentError):
        return wrong(facts.job.reason)
    if isinstance(facts.job, EdgetrainError):
        return unknown(str(facts.job))
    if facts.job.get("older"):
        return unknown("the installed job is older than the app, and does not say")
    return ok(f"job {_text(facts.job.get('version'))} is installed")


def _receipt_key(job: Mapping[str, Any], services: Services, name: str) -> Seen:
    state, said = _state(job.get("key"))
    if state is not ok:
        return cast(Seen, state(said))
    expected = services.settings.compute(name).receipt_key
    if not expected:
        return unknown("RECEIPT_KEY of the compute is empty, so that no signature of a receipt is checked")
    try:
        same = key_id(public_key(str(job["key"]["said"]))) == key_id(public_key(expected))
    except ValueError:
        return unknown("one of the two is no public key of the curve P-256")
    return ok("it does") if same else wrong("the VM's key is another one")


def _base_images(facts: VmFacts, services: Services, name: str) -> Seen:
    found = {each.name: dependency_image(services, each) for each in trained_on(services, name)}
    missing = [pipeline for pipeline, image in found.items() if image is not None and image not in facts.images]
    if missing:
        return skipped(f"not yet those of {judged.named(missing)}, which the first run of each pulls")
    return ok("they are there") if any(found.values()) else skipped("the registry has none, see image.there")


def _told(job: Mapping[str, Any], matter: str, fine: str, *, before: str = "") -> Seen:
    """What the job says of a matter."""
    state, said = _state(job.get(matter))
    return ok(fine) if state is ok else cast(Seen, state(before + said))


def _all(job: Mapping[str, Any], matter: str, fine: str) -> Seen:
    """What the job says of a matter for each site, or pipeline; the worst counts."""
    told = job.get(matter)
    if not isinstance(told, Mapping):
        return unknown("the job does not say")
    states = {_text(name): _state(each) for name, each in told.items()}
    for worst in (wrong, unknown):
        said = [f"{name}: {said}" for name, (state, said) in states.items() if state is worst]
        if said:
            return worst("; ".join(said[:5]))
    if not states or all(state is skipped for state, _ in states.values()):
        return skipped("there is nothing to look at")
    return ok(fine)


def _state(told: Any) -> tuple[Any, str]:
    """How the job's word is to be taken, and its sentence; of a hostile VM, anything."""
    states = {"ok": ok, "wrong": wrong, "skipped": skipped}
    if not isinstance(told, Mapping) or not isinstance(told.get("state"), str):
        return unknown, "the job does not say"
    return states.get(told["state"], unknown), _text(told.get("said"))


def _text(value: Any) -> str:
    return value[:500] if isinstance(value, str) else ""
