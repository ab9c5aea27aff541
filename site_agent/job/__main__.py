"""The job's command line. Always started as ``python -I -m site_agent.job``.

Isolated mode takes nothing from ``PYTHON*`` variables or the working directory, which are Azure ML's to choose.
"""

import argparse
import contextlib
import fcntl
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from site_agent.job import VERSION, folders
from site_agent.job.failures import JobError
from site_agent.job.installation import Installation, clean_environment, installed, load_installation


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks; returns the exit status."""
    options = _parser().parse_args(arguments)
    if options.command == "folder":
        return folders.main(options.arguments)
    try:
        installation = load_installation(installed())
    except JobError as error:
        return _not_installed(error, tell=options.command == "run")
    clean_environment(installation)
    if options.command == "run":
        _use_one_version()
        _stay_installed()
        from site_agent.job.cloud import azure_ml_run
        from site_agent.job.run import run_job

        return run_job(options.order, installation, azure_ml_run)
    if options.command == "key":
        return _show_key(installation)
    if options.command == "check":
        return _check(installation)
    from site_agent.job import sweep

    if options.command == "guard":
        engine = installation.engine_for(options.run_id)
        killed = sweep.guard(options.run_id, sys.stdin.buffer, installation.runs, engine, _noting(installation))
    else:
        killed = True
        for run_id in sweep.sweep(installation.runs, installation.engine_for):
            print(f"removed what run {run_id} left")
    if killed:
        _forget_dead_sessions(installation)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -I -m site_agent.job",
        description="Trains one model in sealed containers, and lets out only what the site's policy allows.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=VERSION)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="do one run", allow_abbrev=False)
    run.add_argument("--order", required=True, help="what to do, as one JSON text; references only")
    commands.add_parser("key", help="show the site's public key; makes the key pair the first time")
    commands.add_parser("check", help="whether the runs of some pipelines could work here; asked by edgetrain doctor")
    commands.add_parser("sweep", help="remove what runs left whose job was killed")
    guard = commands.add_parser("guard", help="clean up after a run when its job ends; started by the job itself")
    guard.add_argument("run_id")
    folder = commands.add_parser("folder", help="own, give or count folders; called in the engine's user namespace")
    folder.add_argument("arguments", nargs=argparse.REMAINDER)
    return parser


def _not_installed(error: JobError, *, tell: bool) -> int:
    print(f"failed: {error}", file=sys.stderr)
    if tell:
        try:
            from site_agent.job.cloud import FAILURE_TAG, KIND_TAG, azure_ml_run

            azure_ml_run().set_tags({FAILURE_TAG: str(error), KIND_TAG: error.kind})
        except Exception as trouble:  # noqa: BLE001 - reporting itself has failed
            print(f"the failure could not be reported to Azure ML ({type(trouble).__name__})", file=sys.stderr)
    return 1


def _forget_dead_sessions(installation: Installation) -> None:
    """Remove what killed jobs were just transferring from the hub."""
    from site_agent.job.cache import Cache

    if installation.cache.is_dir():
        with contextlib.suppress(OSError):  # the next job tries again
            Cache(installation.cache, 0).remove_dead_sessions()


def _noting(installation: Installation) -> Callable[[str], None]:
    """Writes lines to the guardians' log on the VM."""
    log = installation.logs / "guardians.log"

    def note(line: str) -> None:
        with contextlib.suppress(OSError):
            log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with log.open("a", encoding="utf-8") as file:
                file.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} {line}\n")

    return note


def _show_key(installation: Installation) -> int:
    from site_agent.job.guard.signing import load_key, make_key, public_pem

    path = installation.signing_key
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent) as new:  # 0600; it gets its name when it is whole
            new.write(make_key())
            new.flush()
            os.fsync(new.fileno())
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(new.name)
        print(public_pem(load_key(path)).decode("ascii"), end="")
    except (JobError, OSError) as error:
        print(f"failed: {error}", file=sys.stderr)
        return 1
    return 0


def _check(installation: Installation) -> int:
    from site_agent.job.self_check import self_check

    try:
        print(self_check(sys.stdin.buffer, installation))
    except (ValueError, RecursionError) as error:
        print(f"failed: the question is not understood: {error}", file=sys.stderr)
        return 1
    return 0


def _use_one_version() -> None:
    """Go on from the version's own folder: ``current`` may be switched to another version while this run works."""
    folder = Path(sys.prefix)
    own = folder.resolve()
    if own != folder:
        python = str(own / "bin" / "python")
        os.execv(python, [python, "-I", "-m", "site_agent.job", *sys.argv[1:]])  # noqa: S606 - our own interpreter


def _stay_installed() -> None:
    """Hold a lock on the version's folder, to the end of this process: an installer removes no version in use."""
    with contextlib.suppress(OSError):
        fcntl.flock(os.open(sys.prefix, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), fcntl.LOCK_SH)


if __name__ == "__main__":
    sys.exit(main())
