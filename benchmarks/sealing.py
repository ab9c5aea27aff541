"""What the walls around a training cost: a whole run of the job, against the same two commands in the same image.

The baseline has the data on its disk already, and neither checks nor limits. Training takes a fixed time on both sides.
"""

import re
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.report import Row
from tests.support.job_vm import HOLDOUT, Site, Vm, running_site
from tests.support.podman import BASE
from tests.support.tiny_training import CODE, TRAIN, rows

SECONDS = 30
REPETITIONS = 3
_BUSY = f"""
import time
end = time.monotonic() + {SECONDS}
while time.monotonic() < end:
    pass
"""
_STEP = re.compile(r"(\w+): done in ([0-9.]+) s")


def run() -> list[Row]:
    """Whole runs and bare ones in turn, so that what else the machine does concerns both."""
    sealed: list[float] = []
    bare: list[float] = []
    steps: dict[str, float] = {}
    with TemporaryDirectory(prefix="sealing-") as folder, running_site(Path(folder)) as site:
        for number in range(REPETITIONS):
            vm = site.vm(Path(folder) / f"run-{number}")
            vm.submit(train_py=_BUSY + TRAIN)
            seconds, printed = _sealed(vm)
            sealed.append(seconds)
            steps |= {name: float(took) for name, took in _STEP.findall(printed)}
            bare.append(_bare(site, Path(folder) / f"bare-{number}"))
    shown = ", ".join(f"{name} {took:.1f} s" for name, took in steps.items())
    ours, baseline = min(sealed), min(bare)
    rest = ours - sum(steps.values())
    return [
        Row(
            what=f"a sealed run with a training of {SECONDS} s, against its commands bare in the same image",
            ours=f"{ours:.1f} s",
            baseline=f"{baseline:.1f} s",
            ratio=ours / baseline,
            goal=1.15,
            remark=f"containers with start and end: {shown}; data, checks, guard, receipt, clean-up: {rest:.1f} s",
        )
    ]


def _sealed(vm: Vm) -> tuple[float, str]:
    order = vm.order()
    began = time.perf_counter()
    ended = vm.ended(vm.start(order))
    seconds = time.perf_counter() - began
    if ended.status:
        raise RuntimeError(f"the run failed: {ended.reason}")
    return seconds, ended.printed


def _bare(site: Site, folder: Path) -> float:
    for name, content in {"data/a.csv": rows(120, seed=2), "data/b.csv": rows(120, seed=3), HOLDOUT: b""}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / HOLDOUT).write_bytes(rows(60, seed=1))
    for name, text in {**CODE, "train.py": _BUSY + TRAIN}.items():
        (folder / name).write_text(text, encoding="utf-8")
    for name in ("model", "evaluation"):
        (folder / name).mkdir()
    container = [
        "podman",
        "run",
        "--rm",
        "--volume",
        f"{folder}:/work",
        "--workdir",
        "/work",
        "--network",
        "none",
        BASE,
    ]
    began = time.perf_counter()
    train = ["python3", "train.py", "--data", "data", "--model", "model"]
    evaluate = ["python3", "evaluate.py", "--model", "model", "--holdout", HOLDOUT, "--out", "evaluation"]
    for command in (train, evaluate):
        subprocess.run([*container, *command], env=site.podman.environment, check=True, capture_output=True)
    return time.perf_counter() - began
