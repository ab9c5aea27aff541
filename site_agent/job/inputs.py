"""Puts the data of a run into its folder: transfers what the cache does not have, checks it, and lists it.

::

    data/...          the files to train on, under the names of their blobs as far as a file system has such names
    holdout/<name>    the file to judge by, which training never sees
    files.json        of the files to train on: name, path below data/, ETag, size in bytes, MD5 in hex or null

All files are read-only, and hard links to the cache where it is on the same file system. A file that changed since the
manifest was written is left out, and so is one with a fault where the pipeline says so.
"""

import json
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from site_agent.job.cache import Cache
from site_agent.job.failures import DataError, bounded
from site_agent.job.hub import BlobRef, HubError, HubReader, Manifest, load_site
from site_agent.job.input_checks import LONGEST_NAME, SHOWN, Checked, Checks, Faults, all_faults
from site_agent.job.input_paths import part_of, paths_of
from site_agent.job.order import Order
from site_agent.job.policy import Policy
from site_agent.job.transfers import Transfers

CHANGED: Final = "changed"
FAULTY: Final = "faulty"

_NEXT_RUN: Final = "since the snapshot; the next run trains on the files of now"


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file of a run. ``path``: below the folder; ``size`` in bytes; ``md5`` in hex, None when the hub knows none."""

    name: str
    path: str
    etag: str
    size: int
    md5: str | None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Files that are not trained on. ``why``: ``changed`` or ``faulty``, as the app reads it."""

    why: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What a run trains on and is judged by.

    ``data``: a folder; ``holdout``: a file; ``files``: those in ``data``, which ``listing`` lists. ``bytes_total``: of
    all files with the hold-out; ``bytes_moved``: what came over the network for it.
    """

    data: Path
    holdout: Path
    listing: Path
    files: tuple[InputFile, ...]
    left_out: tuple[LeftOut, ...]
    bytes_total: int
    bytes_moved: int


def fetch_inputs(
    order: Order, policy: Policy, *, sites: Path, cache: Cache, into: Path, say: Callable[[str], None]
) -> Inputs:
    """Put the data of an order into the folder of its run. ``say`` writes a line to the log, which stays on the VM.

    Raises :class:`HubError` when the hub fails, ``PolicyRefusedError`` for a blob that the site does not allow,
    :class:`DataError` naming every file with a fault, and ``NoRoomError`` when the disk has too little room.
    """
    hub = HubReader(load_site(order.site, sites))
    try:
        manifest = hub.manifest(order.manifest_container, order.manifest)
        _require_allowed(manifest, order, policy)
        transfers = Transfers(hub, manifest.container, cache)
        targets, paths = _places(manifest, into)
        changed = transfers.bring(targets, say=say)
    finally:
        hub.close()
    _require_holdout(manifest, changed)
    there = _without(manifest.blobs, changed)
    faulty = Faults()
    if order.data.format == "csv":
        checked = {blob: Checked(blob, path, transfers.item(blob).key) for blob, path in targets.items()}
        faulty = Checks(order.data, cache, say).run([checked[blob] for blob in there], checked[manifest.holdout])
    _remove((targets[blob] for blob in faulty.blobs), into / "data")
    kept = _without(there, faulty.blobs)
    if not kept:
        _raise_nothing_left(changed, faulty)
    _let_in(into / "data", into / "holdout")
    files = tuple(InputFile(blob.name, paths[blob.name], blob.etag, blob.size, blob.md5) for blob in kept)
    return Inputs(
        data=into / "data",
        holdout=targets[manifest.holdout],
        listing=_listing(files, into / "files.json"),
        files=files,
        left_out=_left_out(changed, faulty.blobs, say),
        bytes_total=manifest.holdout.size + sum(blob.size for blob in kept),
        bytes_moved=transfers.moved,
    )


def _require_allowed(manifest: Manifest, order: Order, policy: Policy) -> None:
    if manifest.container != order.container:
        about = bounded(str(manifest.container), LONGEST_NAME)
        raise HubError(f"manifest {order.manifest} is about container {about}, not {order.container}")
    if not manifest.blobs:
        raise DataError("the snapshot lists no file to train on")
    policy.check_blobs(order.pipeline, [manifest.holdout.name, *(blob.name for blob in manifest.blobs)])


def _require_holdout(manifest: Manifest, changed: Sequence[BlobRef]) -> None:
    if manifest.holdout in changed:
        raise HubError(f"{manifest.holdout.name}: the hold-out was changed or removed {_NEXT_RUN}")


def _without(blobs: Iterable[BlobRef], others: Iterable[BlobRef]) -> list[BlobRef]:
    gone = set(others)
    return [blob for blob in blobs if blob not in gone]


def _places(manifest: Manifest, into: Path) -> tuple[dict[BlobRef, Path], dict[str, str]]:
    """Where each blob goes, the hold-out first; and the path of each file below the folder with the data."""
    data, holdout = into / "data", into / "holdout"
    for folder in (data, holdout):
        folder.mkdir(parents=True)
    paths = paths_of(blob.name for blob in manifest.blobs)
    targets = {manifest.holdout: holdout / part_of(manifest.holdout.name.rpartition("/")[2])}
    return targets | {blob: data / paths[blob.name] for blob in manifest.blobs}, paths


def _remove(files: Iterable[Path], data: Path) -> None:
    """Remove files, and folders that are empty then: to a training, the name of a folder may mean something."""
    for path in files:
        path.unlink()
        with suppress(OSError):  # one that is not empty ends it
            for folder in path.relative_to(data).parents[:-1]:
                (data / folder).rmdir()


def _let_in(*roots: Path) -> None:
    """Let the user of a container into the folders, whatever this process may hand out by itself (umask)."""
    for root in roots:
        for folder, _, _ in os.walk(root):
            Path(folder).chmod(0o755)


def _raise_nothing_left(changed: Sequence[BlobRef], faulty: Faults) -> None:
    if faulty.told:
        more = f"; {len(changed)} more changed meanwhile" if changed else ""
        raise DataError(f"every file has a fault{more}: {all_faults(faulty.told, files=len(faulty.told))}")
    raise HubError(f"every file was changed or removed {_NEXT_RUN}: {_named(changed)}")


def _listing(files: Sequence[InputFile], path: Path) -> Path:
    """Write the list of files; one a line, for whoever looks at it."""
    lines = ",\n".join(json.dumps(asdict(file)) for file in files)
    path.write_text(f"[\n{lines}\n]\n", encoding="ascii")
    path.chmod(0o444)
    return path


def _left_out(changed: Sequence[BlobRef], faulty: Sequence[BlobRef], say: Callable[[str], None]) -> tuple[LeftOut, ...]:
    found = []
    for why, blobs in ((CHANGED, changed), (FAULTY, faulty)):
        if blobs:
            say(f"left out ({why}): {_named(blobs)}")
            found.append(LeftOut(why, tuple(blob.name for blob in blobs)))
    return tuple(found)


def _named(blobs: Sequence[BlobRef]) -> str:
    """How many, and the first of them."""
    more = ", ..." if len(blobs) > SHOWN else ""
    return f"{len(blobs)}, {', '.join(bounded(blob.name, LONGEST_NAME) for blob in blobs[:SHOWN])}{more}"
