"""The code of a training as a value: its files, and the lock of its libraries.

The same tree always packs to the same bytes, whose SHA-256 names it. A run's tree is stored under that name. Trees from
before sealed training have three locks and an entry of their own; runs that were admitted with one still build its
image.
"""

import hashlib
import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Self

from shared.decisions.admission.fingerprint import code_digest
from shared.messages import FrozenJob

ENTRY = "job.py"
SCORE = "score.py"
SAMPLE = "sample.json"
CODE = "code"
LOCK, JOB_LOCK, SCORING_LOCK = "requirements.txt", "requirements-job.txt", "requirements-scoring.txt"
LOCKS = (LOCK, JOB_LOCK, SCORING_LOCK)

_FILES, _LOCKS = "job", "locks"


@dataclass(frozen=True, slots=True)
class JobTree:
    """A job as one version of the code describes it.

    ``folder`` is its name below ``training/``. ``files``: path in the job -> content. ``locks``: name -> content, of
    :data:`LOCK` alone, or in older trees of each of :data:`LOCKS`.
    """

    folder: str
    files: Mapping[str, bytes] = field(repr=False)
    locks: Mapping[str, bytes] = field(repr=False)

    @property
    def code(self) -> str:
        """The digest of the files; the locks count by their lines, see :attr:`pins`."""
        return code_digest(self.files)

    @property
    def pins(self) -> tuple[str, ...]:
        """The texts of all locks, in a fixed order."""
        return self._texts(*(LOCKS if self.is_old else (LOCK,)))

    @property
    def is_old(self) -> bool:
        """Whether the tree is from before sealed training."""
        return JOB_LOCK in self.locks

    @property
    def scoring_locks(self) -> tuple[str, ...]:
        """What is installed in the image that trains and serves."""
        return self._texts(LOCK, SCORING_LOCK) if self.is_old else self._texts(LOCK)

    @property
    def frozen(self) -> FrozenJob:
        """The reference under which this tree is stored."""
        return FrozenJob(folder=self.folder, tree=digest_of(self.pack()))

    def stage(self, into: Path) -> None:
        """Write the job's files into a folder, side by side as they run."""
        for name, content in self.files.items():
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            (into / name).write_bytes(content)

    def pack(self) -> bytes:
        """The tree as a tar archive that depends on nothing but the tree."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for name, content in sorted(self._entries().items()):
                entry = tarfile.TarInfo(name)  # owner, group and time are 0 unless said
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
        return packed.getvalue()

    @classmethod
    def unpack(cls, folder: str, packed: bytes) -> Self:
        """The tree from the bytes of :meth:`pack`; raises ``ValueError`` for anything else."""
        parts: dict[str, dict[str, bytes]] = {_FILES: {}, _LOCKS: {}}
        try:
            with tarfile.open(fileobj=io.BytesIO(packed), mode="r:") as archive:
                for entry in archive:
                    part, _, name = entry.name.partition("/")
                    content = archive.extractfile(entry)
                    if part not in parts or content is None or not _is_plain(name):
                        raise ValueError(f"{entry.name!r} is no file of a job")
                    parts[part][name] = content.read()
        except tarfile.TarError as error:
            raise ValueError(f"not an archive of a job: {error}") from error
        files, locks = set(parts[_FILES]), set(parts[_LOCKS])
        old, sealed = {ENTRY, SCORE} <= files and locks == set(LOCKS), {SAMPLE, SCORE} <= files and locks == {LOCK}
        if not old and not sealed:
            raise ValueError("not a whole job")
        return cls(folder, parts[_FILES], parts[_LOCKS])

    def _entries(self) -> dict[str, bytes]:
        files = {f"{_FILES}/{name}": content for name, content in self.files.items()}
        return files | {f"{_LOCKS}/{name}": content for name, content in self.locks.items()}

    def _texts(self, *names: str) -> tuple[str, ...]:
        return tuple(self.locks[name].decode("utf-8") for name in names)


def digest_of(packed: bytes) -> str:
    """The name of a packed tree: SHA-256 in hex."""
    return hashlib.sha256(packed).hexdigest()


def _is_plain(name: str) -> bool:
    """Whether a name stays below the folder that it is written into."""
    path = PurePosixPath(name)
    return bool(name) and str(path) == name and not path.is_absolute() and ".." not in path.parts
