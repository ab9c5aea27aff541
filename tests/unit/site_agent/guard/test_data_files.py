"""What is in a zip archive of the data is looked for as if it lay there by itself."""

import base64
import errno
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from local_stack.demo_data import scans_story
from site_agent.job.guard.data_files import DataFile, data_files
from site_agent.job.guard.samples import PICTURES, Reference, read_samples
from tests.support.egress import an_archive

ROOT = Path(__file__).resolve().parents[4]
TABLE = b"a,b,c\n" + b"".join(b"%d.25,%d.5,%d\n" % (number, number * 3, number % 2) for number in range(50))


@pytest.fixture
def reference(tmp_path: Path) -> Reference:
    return Reference(folder=tmp_path)


@pytest.mark.parametrize("kind", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_table_in_an_archive_is_read_as_the_same_table_outside_of_one(
    reference: Reference, tmp_path_factory: pytest.TempPathFactory, kind: int
) -> None:
    (reference.folder / "all.zip").write_bytes(an_archive({"one/rows.csv": TABLE}, method=kind))
    outside = tmp_path_factory.mktemp("outside")
    (outside / "rows.csv").write_bytes(TABLE)

    ours, plain = read_samples(reference), read_samples(Reference(folder=outside))

    assert np.array_equal(ours.matrix, plain.matrix)
    assert (ours.lines, ours.names, ours.rows) == (plain.lines, plain.names, plain.rows)


def test_pictures_in_an_archive_are_as_many_files_and_their_beginnings_are_not_looked_for(reference: Reference) -> None:
    """A picture's first bytes tell its size, which the committed sample has in common with it."""
    (reference.folder / "holdout.zip").write_bytes(scans_story().holdout)
    sample = json.loads((ROOT / "training/scans/sample.json").read_text())
    pictures = [base64.b64decode(image) for image in sample["images"]]

    samples = read_samples(reference)

    assert samples.rows == len(scans_story().holdout_truths)
    assert samples.unread == [PICTURES]
    assert samples.runs
    assert not any(run in picture for _, run in samples.runs for picture in pictures)


def test_an_archive_that_is_compressed_is_looked_for_as_it_is_too(reference: Reference) -> None:
    content = np.random.default_rng(1).bytes(4000)
    (reference.folder / "stored.zip").write_bytes(an_archive({"a": content}))
    assert [each.part is None for each in data_files(reference.folder)] == [False]

    (reference.folder / "stored.zip").write_bytes(
        an_archive({"a": content, "b": b"x" * 4000}, method=zipfile.ZIP_DEFLATED)
    )
    assert [each.part is None for each in data_files(reference.folder)] == [True, False, False]


@pytest.mark.parametrize("damage", ["cut", "locked", "overwritten"])
def test_an_archive_that_cannot_be_read_is_looked_for_as_it_is(reference: Reference, damage: str) -> None:
    members = {"a": np.random.default_rng(1).bytes(4000), "b": TABLE}
    content = an_archive(members, method=zipfile.ZIP_DEFLATED)
    if damage == "locked":  # the flag that says so, in the entry and in the directory
        content = content.replace(b"PK\x03\x04\x14\x00\x00", b"PK\x03\x04\x14\x00\x01")
        content = content.replace(b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01")
    changed = {"cut": content[:-60], "locked": content, "overwritten": content[:60] + bytes(900) + content[960:]}
    (reference.folder / "all.zip").write_bytes(changed[damage])

    samples = read_samples(reference)

    assert any(run in changed[damage] for _, run in samples.runs)


@pytest.mark.parametrize("kind", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damage_anywhere_in_an_archive_never_ends_the_look(reference: Reference, kind: int) -> None:
    """A training that leaves a damaged archive out would end in an error of the guard, after all its work."""
    content = an_archive({"\u00e4.csv": TABLE, "b": np.random.default_rng(1).bytes(500)}, method=kind)
    for place in range(0, len(content), 17):
        damaged = bytearray(content)
        damaged[place] ^= 0xC3
        (reference.folder / "all.zip").write_bytes(damaged)

        assert read_samples(reference).rows


def test_what_the_disk_cannot_read_is_an_error(reference: Reference, monkeypatch: pytest.MonkeyPatch) -> None:
    """Passed over as damage, rows would not be looked for that the training had."""
    (reference.folder / "rows.csv").write_bytes(TABLE)

    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(DataFile, "open", broken)
    with pytest.raises(OSError, match="Input/output"):
        read_samples(reference)


def test_links_are_no_files(reference: Reference) -> None:
    (reference.folder / "rows.csv").write_bytes(TABLE)
    (reference.folder / "again.csv").symlink_to("rows.csv")

    assert [each.path.name for each in data_files(reference.folder)] == ["rows.csv"]
