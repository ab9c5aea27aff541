"""Local files in place of a hub's blobs: selected, named, checked and laid out as a run's data are on the VM.

They are copied, so that a training has them as files that it may only read, whatever their rights are here.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from shared.decisions.arrivals.watched_blobs import selects
from shared.pipelines import Pipeline
from shared.values.texts import counted
from site_agent.job.csv_checks import check_csv
from site_agent.job.failures import DataError
from site_agent.job.input_paths import part_of, paths_of
from site_agent.job.order import Order

_SHOWN = 20  # faults of a file


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalInputs:
    """Where a trial's data are; ``files`` to train on, with ``size`` bytes in all."""

    data: Path
    holdout: Path
    listing: Path
    files: int
    size: int


def local_inputs(
    pipeline: Pipeline, order: Order, *, data: Path, holdout: Path, into: Path, say: Callable[[str], None]
) -> LocalInputs:
    """Copy what a snapshot would take of ``data`` and the hold-out below ``into``, checked as the job checks them.

    ``data`` stands for the folder that ``data.prefix`` names. Raises :class:`DataError` naming each file with a fault.
    """
    found = _selected(pipeline, data, holdout, say)
    paths = paths_of(found)
    kept_holdout = into / "holdout" / part_of(PurePosixPath(pipeline.data.holdout).name)
    _copy(holdout, kept_holdout)
    targets = {name: into / "data" / path for name, path in paths.items()}
    for name, source in found.items():
        _copy(source, targets[name])
    if order.data.format == "csv":
        faulty = _faults({pipeline.data.holdout: kept_holdout, **targets}, order)
        _decide(faulty, pipeline, order, say)
        for name in faulty:
            targets.pop(name).unlink()
    if not targets:
        raise DataError("no file is left to train on")
    listing = into / "files.json"
    listing.write_text(json.dumps([_listed(name, paths[name], path) for name, path in targets.items()], indent=1))
    listing.chmod(0o444)
    size = sum(path.stat().st_size for path in targets.values())
    say(f"{counted(len(targets), 'file')} to train on, {size:,} bytes; the hold-out has {holdout.stat().st_size:,}")
    return LocalInputs(data=into / "data", holdout=kept_holdout, listing=listing, files=len(targets), size=size)


def _selected(pipeline: Pipeline, data: Path, holdout: Path, say: Callable[[str], None]) -> dict[str, Path]:
    """Blob name -> file, of what a snapshot would take; says how many it would not."""
    taken: dict[str, Path] = {}
    others: list[str] = []
    for path in _files(data):
        name = pipeline.data.prefix + path.relative_to(data).as_posix()
        if selects(pipeline, name, path.stat().st_size) and not path.samefile(holdout):
            taken[name] = path
        else:
            others.append(path.relative_to(data).as_posix())
    if not taken:
        pattern = pipeline.data.pattern
        raise DataError(
            f"{data} has no file that a run would take: none matches data.pattern {pattern}, or all are empty"
        )
    if others:
        more = ", ..." if len(others) > 3 else ""
        say(f"not taken, as a run would not: {counted(len(others), 'file')} ({', '.join(others[:3])}{more})")
    return taken


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o444)


def _faults(files: dict[str, Path], order: Order) -> dict[str, str]:
    """Name -> what is wrong, of the files that are not as the columns say."""
    reports = {name: check_csv(path, order.data.columns, shown=_SHOWN) for name, path in files.items()}
    return {name: report.told(name) for name, report in reports.items() if not report.sound}


def _decide(faulty: dict[str, str], pipeline: Pipeline, order: Order, say: Callable[[str], None]) -> None:
    """Raises :class:`DataError` unless the pipeline leaves such files out; never for a fault of the hold-out."""
    for told in faulty.values():
        say(f"fault: {told}")
    if not faulty:
        return
    if pipeline.data.holdout in faulty or not order.data.leaves_out_faulty:
        raise DataError(f"{counted(len(faulty), 'file')} of the data have a fault, see above")
    say(f"left out, as data.on_bad_file says: {counted(len(faulty), 'file')}")


def _listed(name: str, path: str, file: Path) -> dict[str, object]:
    """As a run's ``files.json`` has it; local files have no ETag."""
    return {"name": name, "path": path, "etag": "", "size": file.stat().st_size, "md5": None}
