"""Makes a running stack ready for pipelines, with the same tools that prepare a production site.

    python -m local_stack.prepare [--pipeline NAME ...]

The job that trains on the VM, and the site's policy; per pipeline, the container of its data on the hub, the dependency
image in the registry and the serving slot on the VM.
"""

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobServiceClient

from cli.job_installation import FOLDER, job_source
from cli.terminal import heed_interrupts
from local_stack.files import read_object
from local_stack.page_link import page_lines
from local_stack.stack_hub.image_layers import keep_layers
from local_stack.stack_hub.site_policy import write_policy
from local_stack.supervisor.app_settings import app_settings
from local_stack.supervisor.serving import addresses, pipeline_files
from shared.pipelines import Pipelines
from shared.training_code.job_folders import JobFolders
from shared.training_code.scoring_images import scoring_parts
from shared.values.texts import one_line

ROOT = Path(__file__).resolve().parent.parent
_ERROR = "error: "  # how the tools begin what went wrong


class PreparationError(Exception):
    """A preparing tool failed; the text holds its last lines."""


def prepare(
    endpoints: dict[str, Any], pipelines: Iterable[str], *, cache: Path, progress: Callable[[str], None]
) -> None:
    """Prepare the pipelines; images and the VM side by side.

    One that cannot be prepared stops none of the others. Raises :class:`PreparationError` at the end, which names it.
    """
    names = list(pipelines)
    _make_containers(endpoints["hub_storage"], names)
    # Without the certificate authorities of the stack: the tools fetch packages from outside, as this machine does.
    trust = ("_CA_BUNDLE", "SSL_CERT_FILE")
    settings = {key: value for key, value in app_settings(endpoints).items() if not key.endswith(trust)}
    environment = dict(os.environ) | settings
    home = Path(endpoints["vm"]["home"])
    write_policy(home, endpoints["container_registry"]["host"], ROOT / "pipelines")
    _bring_job(home, cache)
    vm = [sys.executable, "-m", "cli", "prepare-vm", *(word for name in names for word in ("--pipeline", name))]
    running = [_Tool("the VM", vm, environment, progress)]
    try:
        for name in names:
            image = [sys.executable, "-m", "cli", "dependency-image", "--pipeline", name]
            tool = _Tool(f"the image of {name}", [*image, "--cache", str(cache)], environment, progress)
            running.append(tool)
            tool.wait()  # one after the other: they share the layers they find in the cache
        failed = [tool for tool in running if tool.wait() != 0]
    except BaseException:
        for tool in running:
            tool.stop()
        raise
    if failed:
        raise PreparationError("\n".join(tool.last_lines() for tool in failed))
    _keep_job(home, cache)
    for name in names:
        folder = Pipelines(ROOT / "pipelines").get(name).train.folder
        keep_layers(cache, scoring_parts(JobFolders(ROOT).read(folder)))


def _make_containers(hub: dict[str, Any], names: list[str]) -> None:
    """Make the containers that the pipelines' data comes into, as the hub's owner does: the app has no right to."""
    wanted = {each.data.container for each in Pipelines(ROOT / "pipelines").all if each.name in names}
    with BlobServiceClient.from_connection_string(hub["connection_string"], api_version=hub["api_version"]) as owner:
        for container in sorted(wanted):
            with contextlib.suppress(ResourceExistsError):
                owner.create_container(container).close()


def _bring_job(home: Path, cache: Path) -> None:
    """Put the job of this version, which another stack has installed, on the disk of a new state's VM."""
    kept = _kept_job(cache)
    place = home / FOLDER / kept.name
    if kept.is_dir() and not place.exists():
        _link(kept, place)


def _keep_job(home: Path, cache: Path) -> None:
    """Keep what was installed for other states, unless one of them was quicker."""
    kept = _kept_job(cache)
    place = home / FOLDER / kept.name
    if place.is_dir() and not kept.exists():
        _link(place, kept)


def _kept_job(cache: Path) -> Path:
    return (cache / "jobs").resolve() / job_source(ROOT).key


def _link(folder: Path, into: Path) -> None:
    """The same files under another name, whole or not at all; a link to the folder would lead the job astray."""
    into.parent.mkdir(parents=True, exist_ok=True)
    copy = into.with_name(f".{into.name}.{os.getpid()}")
    try:
        shutil.copytree(folder, copy, symlinks=True, copy_function=_link_file)
        with contextlib.suppress(OSError):  # another stack was quicker
            copy.rename(into)
    finally:
        shutil.rmtree(copy, ignore_errors=True)


def _link_file(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:  # on another file system
        shutil.copy2(source, target, follow_symlinks=False)


class _Tool:
    """One running tool whose lines are passed on as they come."""

    def __init__(
        self, what: str, command: list[str], environment: dict[str, str], progress: Callable[[str], None]
    ) -> None:
        self._what = what
        self._lines: list[str] = []
        self._progress = progress
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - a pipe was asked for
        for line in self._process.stdout:
            self._lines.append(line.rstrip())
            if line.strip():
                self._progress(line.strip())

    def wait(self) -> int:
        status = self._process.wait()
        self._reader.join(timeout=5)
        return status

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()

    def last_lines(self) -> str:
        said = [line for line in self._lines if line.startswith(_ERROR)] or self._lines[-15:]
        return "\n".join([f"{self._what} could not be prepared:", *said])


def main() -> int:
    """Prepare the stack that ``make up`` left running; all pipelines unless some are named."""
    heed_interrupts()
    parser = argparse.ArgumentParser(prog="python -m local_stack.prepare", description=__doc__.splitlines()[0])
    parser.add_argument("--pipeline", action="append", metavar="NAME", help="may be given again (default: all)")
    parser.add_argument("--state", type=Path, default=Path(".local"), help="state folder (default: %(default)s)")
    parser.add_argument("--cache", type=Path, default=Path(".local/cache"), help="for downloads (default: %(default)s)")
    options = parser.parse_args()
    file = options.state / "endpoints.json"
    endpoints = read_object(file)
    if not endpoints:
        print(f"{file} does not exist: start the stack first, with `make up`", file=sys.stderr)
        return 1
    names = options.pipeline or pipeline_files()
    status = 0
    try:
        prepare(endpoints, names, cache=options.cache, progress=lambda line: print(one_line(line), flush=True))
    except PreparationError as error:
        print("\n".join(map(one_line, str(error).splitlines())), file=sys.stderr, flush=True)
        status = 1
    except KeyboardInterrupt:
        print("stopped; the stack keeps running, and `make up` prepares the rest", file=sys.stderr)
        return 130
    _show(file, names if status == 0 else [])
    return status


def _show(file: Path, names: list[str]) -> None:
    """Wait until the supervisor has written where these are served, say where all are, and what to do next."""
    ends = time.monotonic() + 15
    while time.monotonic() < ends and not set(names) <= read_object(file).get("serving", {}).keys():
        time.sleep(0.2)
    endpoints = read_object(file)
    for line in addresses(endpoints, pipeline_files()):
        print(line)
    for line in page_lines(endpoints):
        print(line)
    url = endpoints["functions_host"]["url"]
    print(f"next: put files into a pipeline's container (hub_storage in {file}), and see the state of the pipelines:")
    print(f"GET {url}/api/pipelines with the function_key of {file}; `make status` says what runs where")


if __name__ == "__main__":
    sys.exit(main())
