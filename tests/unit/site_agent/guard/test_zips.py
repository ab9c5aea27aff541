"""Archives of numpy, as older and newer versions of Python write them."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest

from site_agent.job.guard.spans import HeldBackError, Span
from site_agent.job.guard.zips import members

SIZES = 18  # where a local header has its two sizes; APPNOTE.TXT of PKWARE, 4.3.7


def savez() -> bytes:
    file = io.BytesIO()
    np.savez(file, weights=np.linspace(0, 1, 5))
    return file.getvalue()


def names(content: bytes, folder: Path) -> list[str]:
    path = folder / "archive.npz"
    path.write_bytes(content)
    with path.open("rb") as file:
        return [member.name for member in members(Span(file.fileno(), 0, len(content), file), most=1_000_000)]


def with_sizes(stored: int, size: int) -> bytes:
    content = savez()
    return content[:SIZES] + struct.pack("<2I", stored, size) + content[SIZES + 8 :]


def test_sizes_may_stand_in_either_form_or_in_both(tmp_path: Path) -> None:
    large_size, large_stored = struct.unpack("<2Q", savez()[30 + len("weights.npy") + 4 :][:16])

    assert names(savez(), tmp_path) == ["weights.npy"]
    assert names(with_sizes(0xFFFFFFFF, 0xFFFFFFFF), tmp_path) == ["weights.npy"]
    assert names(with_sizes(large_stored, large_size), tmp_path) == ["weights.npy"]


def test_two_forms_that_differ_are_held_back(tmp_path: Path) -> None:
    with pytest.raises(HeldBackError):
        names(with_sizes(7, 7), tmp_path)
