"""One training on a VM: a folder, a detached process, and what it leaves. Every step can be repeated.

The process outlives our connection, and our own restart. In the run's folder it leaves::

    code/          the snapshot, the working folder; outputs/ and logs/ in it are collected
    environment    0600, what the process gets
    owner          whose run this is: an earlier workspace may have left a run of the same id
    launched/      made by the one who may start the process: nobody starts it again
    process        its id, which is also its session's, and its start time in clock ticks after boot (proc(5))
    std_log.txt    its standard output and error
    exit           its exit status, once it has ended
"""

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from local_stack.azure_ml.vm_session import CommandError, VmSession, quoted

LOG: Final = "std_log.txt"
VANISHED: Final = -1
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

# An id alone is not enough: the VM may have been restarted, and the id be somebody else's. Zombies do not count as
# alive: where process 1 does not reap, they stay for ever. The third field after the name is the session.
_PROCESS: Final = r"""
fields() { sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null; }
alive() { set -- $(fields); [ $# -ge 20 ] && [ "$1" != Z ] && [ "${20}" = "$began" ]; }
members() {
    set -- $(fields)
    [ $# -ge 20 ] && [ "${20}" != "$began" ] && return
    cat /proc/[0-9]*/stat 2>/dev/null | sed -n "s/^\([0-9]*\) (.*) [^ZX] [0-9-]* [0-9-]* $pid .*/\1/p"
}
"""
_START: Final = """
mkdir launched 2>/dev/null || { echo before; exit; }
setsid sh ./run.sh </dev/null >/dev/null 2>&1 &
for i in $(seq 100); do [ -e process ] && break; sleep 0.05; done
echo now
"""
_POLL: Final = """
for i in 1 2 3; do
    [ -e exit ] && { cat exit; exit; }
    [ -e process ] && read -r pid began <process && alive && { echo running; exit; }
    sleep 0.2
done
echo gone
"""
_KILL: Final = """
for i in $(seq 20); do
    if [ -e process ] || [ ! -e launched ]; then break; fi
    sleep 0.1
done
[ -e process ] || exit 0
read -r pid began <process
for signal in TERM KILL; do
    for i in $(seq 30); do
        living=$(members)
        [ -z "$living" ] && exit 0
        [ "$i" = 1 ] && kill -$signal $living 2>/dev/null
        sleep 0.1
    done
done
exit 1
"""


@dataclass(frozen=True, slots=True)
class Job:
    """What to run. ``files``: path in the working folder -> local file. ``owner``: a text like no other run's."""

    run_id: str
    owner: str
    interpreter: str
    script: str
    arguments: tuple[str, ...]
    environment: dict[str, str]
    files: dict[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_variables(self.environment)

    def launcher(self) -> str:
        """The shell script that becomes the process: it runs the training and keeps its exit status."""
        return (
            f'pid=$$\n{_PROCESS}set -- $(fields)\necho "$pid ${{20}}" >process.partial && mv process.partial process\n'
            ". ./environment\n"
            f"cd code && {quoted(self.interpreter, self.script, *self.arguments)} >../{LOG} 2>&1\n"
            "echo $? >../exit.partial && mv ../exit.partial ../exit\n"
        )


def check_variables(names: Iterable[str]) -> None:
    """Raises ``ValueError`` for a name that a shell would not take as that of a variable."""
    for name in names:
        if not _VARIABLE.fullmatch(name):
            raise ValueError(f"{name!r} cannot be the name of an environment variable")


def folder(run_id: str) -> str:
    """Where a run lies, below the home of the VM's user."""
    return f"azureml/{run_id}"


def start(vm: VmSession, job: Job, ca_bundle: Path) -> bool:
    """Bring the files to the VM and start the process; False when that had been done before."""
    place = folder(job.run_id)
    if vm.run(f"[ ! -e {quoted(f'{place}/launched')} ] || cat {quoted(f'{place}/owner')}").strip() == job.owner:
        return False
    if not kill(vm, job.run_id):
        raise CommandError(f"a process of an earlier run {job.run_id} on the VM could not be ended")
    _bring(vm, job, place, ca_bundle)
    return "now" in vm.run(_inside(place, _START))


def poll(vm: VmSession, run_id: str, log: Path) -> int | None:
    """The exit status, or None while it runs; :data:`VANISHED` if there is none. Brings ``log`` up to date."""
    try:
        said = vm.run(_inside(folder(run_id), _PROCESS + _POLL)).strip()
    except CommandError:  # the folder is gone
        return VANISHED
    vm.follow(f"{folder(run_id)}/{LOG}", log)
    if said == "running":
        return None
    return int(said) if said.isdigit() else VANISHED


def kill(vm: VmSession, run_id: str) -> bool:
    """End every process of the session, softly, then hard; whether nothing of it is left."""
    place = folder(run_id)
    try:
        vm.run(f"[ ! -e {quoted(place)} ] || ({_inside(place, _PROCESS + _KILL)})")
    except CommandError:
        return False
    return True


def remove(vm: VmSession, run_id: str) -> None:
    """Leave nothing of the run on the VM: it may have written data there."""
    vm.run(quoted("rm", "-rf", folder(run_id)))


def _bring(vm: VmSession, job: Job, place: str, ca_bundle: Path) -> None:
    folders = {f"{place}/code"} | {f"{place}/code/{PurePosixPath(name).parent}" for name in job.files}
    vm.run(f"umask 077; {quoted('rm', '-rf', place)}; {quoted('mkdir', '-p', *sorted(folders))}")
    for name, source in job.files.items():
        vm.upload(source, f"{place}/code/{name}")
    vm.upload(ca_bundle, f"{place}/ca-bundle.pem")
    home = vm.run("pwd").strip()
    environment = job.environment | {"REQUESTS_CA_BUNDLE": f"{home}/{place}/ca-bundle.pem"}
    lines = "".join(f"export {key}={shlex.quote(value)}\n" for key, value in sorted(environment.items()))
    vm.write(f"{place}/owner", job.owner.encode())
    vm.write(f"{place}/environment", lines.encode())
    vm.write(f"{place}/run.sh", job.launcher().encode())


def _inside(place: str, script: str) -> str:
    return f"cd {quoted(place)} || exit 1\n{script}"
