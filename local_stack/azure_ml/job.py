"""One training on a VM: a folder, a detached process, and what it leaves. Every step can be repeated.

The process outlives our connection, and our own restart: it writes its pid and, when it ends, its exit status.
"""

import shlex
from dataclasses import dataclass, field
from pathlib import Path

from local_stack.azure_ml.vm_session import VmSession, quoted

_GONE = "gone"  # neither running nor ended: killed, or the VM was restarted


@dataclass(frozen=True, slots=True)
class Job:
    """What to run. ``files``: path in the working folder -> local file."""

    run_id: str
    interpreter: str
    script: str
    arguments: tuple[str, ...]
    environment: dict[str, str]
    files: dict[str, Path] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """Below the home of the VM's user."""
        return f"azureml/{self.run_id}"


def prepare(vm: VmSession, job: Job, ca_bundle: Path) -> None:
    """Bring the files to the VM."""
    folders = {f"{job.folder}/code"} | {f"{job.folder}/code/{Path(name).parent}" for name in job.files}
    vm.run(f"umask 077; {quoted('mkdir', '-p', *sorted(folders))}")
    for name, source in job.files.items():
        vm.upload(source, f"{job.folder}/code/{name}")
    vm.upload(ca_bundle, f"{job.folder}/ca-bundle.pem")
    home = vm.run("pwd").strip()
    environment = job.environment | {"REQUESTS_CA_BUNDLE": f"{home}/{job.folder}/ca-bundle.pem", "AZUREML_HOME": home}
    lines = "".join(f"export {key}={shlex.quote(value)}\n" for key, value in sorted(environment.items()))
    vm.write(f"{job.folder}/environment", lines.encode())
    vm.write(f"{job.folder}/run.sh", _script(job).encode())


def start(vm: VmSession, job: Job) -> None:
    """Start the process unless it was started before."""
    launch = "setsid sh ./run.sh </dev/null >/dev/null 2>&1 & echo $! >pid"
    vm.run(f"cd {shlex.quote(job.folder)} && {{ test -e pid || {{ {launch}; }}; }}")


def poll(vm: VmSession, run_id: str) -> int | None:
    """The exit status, or None while it runs; -1 when it vanished without one."""
    folder = f"azureml/{run_id}"
    look = (
        f"cd {shlex.quote(folder)} 2>/dev/null || {{ echo {_GONE}; exit; }}; "
        "test -e exit && { cat exit; exit; }; "
        'test -e pid && kill -0 -"$(cat pid)" 2>/dev/null && { echo running; exit; }; '
        f"sleep 0.2; test -e exit && cat exit || echo {_GONE}"
    )
    said = vm.run(look).strip()
    if said == "running":
        return None
    return -1 if said == _GONE else int(said)


def kill(vm: VmSession, run_id: str) -> bool:
    """End the process group, softly, then hard; whether nothing of it is left."""
    folder = shlex.quote(f"azureml/{run_id}")
    end = (
        f'cd {folder} 2>/dev/null || exit 0; test -e pid || exit 0; group=-"$(cat pid)"; '
        'kill -TERM "$group" 2>/dev/null; '
        'for i in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$group" 2>/dev/null || exit 0; sleep 0.3; done; '
        'kill -KILL "$group" 2>/dev/null; sleep 0.3; ! kill -0 "$group" 2>/dev/null'
    )
    try:
        vm.run(end)
    except OSError:
        return False
    return True


def remove(vm: VmSession, run_id: str) -> None:
    """Leave nothing of the run on the VM: it may have written data there."""
    vm.run(quoted("rm", "-rf", f"azureml/{run_id}"))


def _script(job: Job) -> str:
    command = quoted(job.interpreter, job.script, *job.arguments)
    return (
        ". ./environment\n"
        "cd code\n"
        f"{command} >../std_log.txt 2>&1\n"
        "echo $? >../exit.partial && mv ../exit.partial ../exit\n"
    )
