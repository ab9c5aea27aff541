"""The signature of a model's folder as OpenSSF's ``model_signing`` 1.x makes and verifies it.

https://github.com/sigstore/model-transparency, ``signing.py``: one digest over the files' digests, and the files.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from shared.signing.statements import MODEL, Statement, Subject


@dataclass(frozen=True, slots=True, order=True)
class ModelFile:
    """A file of a model: its path below the model's folder, its SHA-256 in hex, its size in bytes."""

    path: str
    sha256: str
    size: int


def model_files(folder: Path) -> tuple[ModelFile, ...]:
    """The files below a folder, in the order in which they are signed. Each is read in pieces."""
    found = []
    for file in folder.rglob("*"):
        if file.is_file():
            with file.open("rb") as content:
                digest = hashlib.file_digest(content, "sha256").hexdigest()
            found.append(ModelFile(file.relative_to(folder).as_posix(), digest, file.stat().st_size))
    return in_order(found)


def in_order(files: Iterable[ModelFile]) -> tuple[ModelFile, ...]:
    """Sorted by the parts of their paths."""
    return tuple(sorted(files, key=lambda file: (PurePosixPath(file.path).parts, file.path)))


def model_digest(files: Iterable[ModelFile]) -> str:
    """The digest of the whole folder, in hex."""
    whole = hashlib.sha256()
    for file in in_order(files):
        whole.update(bytes.fromhex(file.sha256))
    return whole.hexdigest()


def model_statement(name: str, files: Iterable[ModelFile]) -> Statement:
    """Says what a model consists of; symbolic links are none of it."""
    ordered = in_order(files)
    return Statement(
        subjects=(Subject(name, model_digest(ordered)),),
        predicate_type=MODEL,
        predicate={
            "serialization": {
                "method": "files",
                "hash_type": "sha256",
                "allow_symlinks": False,
                "ignore_paths": [],
            },
            "resources": [{"name": file.path, "algorithm": "sha256", "digest": file.sha256} for file in ordered],
        },
    )
