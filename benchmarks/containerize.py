"""How a model gets into a signed image: one layer appended by HTTP, against ``buildah`` building and pushing, warm.

Appending includes the bill of materials, the provenance, the signature of the model and that of the image; ``buildah``
signs nothing.

    python -m benchmarks.containerize

Beside them, the requests alone: the same bytes sent by the least number of requests that this registry lets a signed
image be made with, from memory and side by side. No program that pushes such an image is faster than that.

Both start from the same dependency image in the same registry, both copy the model into a work folder first (for the
download that production does), and each repetition has a new model. Needs root, buildah, docker-registry, mmdebstrap.
"""

import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import bare_push, peaks
from benchmarks.append_once import FOLDER, PIPELINE, ROOT, signatures
from benchmarks.peaks import peak_megabytes
from cli.dependency_image import debian_base, ensure_dependency_image
from cli.layer_cache import LayerCache
from local_stack.stack_hub.engine import configure_podman, find
from shared.training_code.job_folders import JobFolders
from shared.training_code.scoring_images import ScoringParts, scoring_parts
from tests.support.registry import RunningRegistry, running_registry
from tests.support.signing import a_key, private_pem

SIZES = {"4 kB": 4_000, "20 MB": 20_000_000, "200 MB": 200_000_000}  # random: nothing to gain by compressing
GOALS = {"4 kB": 0.1, "20 MB": 0.1, "200 MB": 0.4}  # of what buildah takes
REPETITIONS = 3
MOST_MEGABYTES = 150.0  # what appending may use, whatever the size of the model

DOCKERFILE = """\
FROM {base}
COPY score.py /var/azureml-app/score.py
COPY model /var/azureml-app/model
LABEL io.edgetrain.run-id={run_id}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The median over the repetitions; memory is the highest peak."""

    model: str
    method: str
    seconds: float
    megabytes: float


Measured = tuple[float, float]
"""Seconds, and megabytes at the peak."""


def run() -> list[Row]:
    """Measure everything; about a minute, and another one when the dependency image is not in the cache yet."""
    peaks.check()
    cache = LayerCache(ROOT / ".local" / "cache")
    parts = scoring_parts(JobFolders(ROOT).read(FOLDER))
    with TemporaryDirectory(prefix="containerize-") as folder, running_registry(Path(folder, "registry")) as registry:
        key = Path(folder, "key.pem")
        key.write_text(private_pem(a_key()), encoding="ascii")
        with registry.client() as client:
            base = partial(debian_base, cache, _quiet)
            signer = signatures(client, key)
            ensure_dependency_image(parts, signatures=signer, make_base=base, cache=cache, say=_quiet)
        work = Path(folder, "work")
        buildah = Buildah(Path(folder, "engine"), registry, parts)
        methods: dict[str, Callable[[str, Path], Measured]] = {
            "append": partial(_append, registry, key),
            "append again": partial(_append, registry, key),  # the same command: a retry after a lost reply
            "the requests alone": partial(_requests, registry),
            "buildah": buildah.build_and_push,
        }
        buildah.build_and_push("warm-up", _new_model(work, 10))
        rows = [row for label, size in SIZES.items() for row in _compare(label, size, work, methods)]
        buildah.clean()
    return rows


def _compare(label: str, size: int, work: Path, methods: Mapping[str, Callable[[str, Path], Measured]]) -> list[Row]:
    measured: dict[str, list[Measured]] = {method: [] for method in methods}
    for repetition in range(REPETITIONS):
        model = _new_model(work, size)
        for method, measure in methods.items():
            measured[method].append(measure(f"run-{size}-{repetition}", model))
    return [
        Row(
            model=label,
            method=method,
            seconds=statistics.median(seconds for seconds, _ in values),
            megabytes=max(peak for _, peak in values),
        )
        for method, values in measured.items()
    ]


def _append(registry: RunningRegistry, key: Path, run_id: str, model: Path) -> Measured:
    command = [sys.executable, "-m", "benchmarks.append_once", registry.url, run_id, str(model), str(key)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    answer = json.loads(done.stdout)
    assert answer["digest"].startswith("sha256:"), answer
    return answer["seconds"], answer["megabytes"]


def _requests(registry: RunningRegistry, run_id: str, model: Path) -> Measured:
    del run_id
    size = (model / "model.joblib").stat().st_size
    return bare_push.seconds(registry.host, size), 0.0


class Buildah:
    """The usual way, with a storage of its own."""

    def __init__(self, folder: Path, registry: RunningRegistry, parts: ScoringParts) -> None:
        self._registry, self._parts, self._context = registry, parts, folder / "context"
        runtime = folder / "run"
        runtime.mkdir(parents=True)
        configure_podman(folder / "etc", storage=folder / "storage", runtime=runtime, registry=registry.host)
        self._environment = os.environ | dict(find(folder / "etc").environment)

    def build_and_push(self, run_id: str, model: Path) -> Measured:
        shutil.rmtree(self._context, ignore_errors=True)
        image = f"{self._registry.host}/buildah/{PIPELINE}:{run_id}"
        base = f"{self._registry.host}/{self._parts.dependency_image}"
        start = time.perf_counter()
        shutil.copytree(model, self._context / "model")
        for name, content in self._parts.code.items():
            (self._context / name).write_bytes(content)
        file = self._context / "Dockerfile"
        file.write_text(DOCKERFILE.format(base=base, run_id=run_id), encoding="utf-8")
        peaks = [
            self._run("bud", "--quiet", "--layers", "--tag", image, str(self._context)),
            self._run("push", "--quiet", image),
        ]
        seconds = time.perf_counter() - start
        self._run("rmi", image)  # so that the disk does not fill; the dependency image stays
        return seconds, max(peaks)

    def clean(self) -> None:
        self._run("rmi", "--all", "--force")

    def _run(self, *arguments: str) -> float:
        """Run one command to its end; returns its peak of memory."""
        process = subprocess.Popen(
            ["buildah", *arguments], env=self._environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        peak = 0.0
        while process.poll() is None:
            try:
                peak = max(peak, peak_megabytes(str(process.pid)))
            except (OSError, IndexError):  # it has just ended
                break
            time.sleep(0.01)
        if not peak:
            raise RuntimeError(f"buildah {arguments[0]} ended before its memory was looked at")
        _, errors = process.communicate()
        if process.returncode != 0:
            raise RuntimeError(f"buildah {arguments[0]} failed: {errors.decode(errors='replace')[-500:]}")
        return peak


def _new_model(work: Path, size: int) -> Path:
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    with (work / "model.joblib").open("wb") as into:
        for _ in range(0, size, 1_000_000):
            into.write(random.randbytes(min(size, 1_000_000)))
    return work


def _quiet(line: str) -> None:
    del line


def table(rows: list[Row]) -> str:
    """The rows, with each method's part of buildah's time."""
    baseline = {row.model: row.seconds for row in rows if row.method == "buildah"}
    lines = ["| model | method | seconds | of buildah's | goal | peak memory |", f"| {' | '.join(['---'] * 6)} |"]
    for row in rows:
        part = row.seconds / baseline[row.model]
        goal = f"≤ {GOALS[row.model]}, {_verdict(part, row)}" if row.method == "append" else ""
        peak = f"{row.megabytes:.0f} MB" if row.megabytes else ""
        lines.append(f"| {row.model} | {row.method} | {row.seconds:.3f} | {part:.2f} | {goal} | {peak} |")
    return "\n".join([*lines, "", *_reasons(rows, baseline)])


def _verdict(part: float, row: Row) -> str:
    return "met" if part <= GOALS[row.model] else "missed"


def _reasons(rows: list[Row], baseline: Mapping[str, float]) -> list[str]:
    """Where a goal is missed: what the registry alone takes of it."""
    least = {row.model: row.seconds for row in rows if row.method == "the requests alone"}
    return [
        f"{row.model}: the goal is {GOALS[row.model] * baseline[row.model] * 1000:.0f} ms; the {bare_push.REQUESTS} "
        f"requests that a signed image needs here, with nothing else, take {least[row.model] * 1000:.0f} ms."
        for row in rows
        if row.method == "append" and row.seconds > GOALS[row.model] * baseline[row.model]
    ]


def main() -> None:
    rows = run()
    print(table(rows))
    worst = max(row.megabytes for row in rows if row.method.startswith("append"))
    if worst > MOST_MEGABYTES:
        sys.exit(f"appending used {worst:.0f} MB; {MOST_MEGABYTES:.0f} MB is the most it may")


if __name__ == "__main__":
    main()
