"""A file that is no whole copy of a ledger is refused before anything is written."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from cli.ledger_copy.copies import FORMAT, SCHEMA, restore
from shared.errors import PermanentError

HEAD = {"format": FORMAT, "schema": SCHEMA, "made_at": "", "tables": ["runs"]}
ROWS = [{"t": "runs", "p": f"p{number}", "k": "k", "v": {"text": "x" * number}} for number in range(500)]


def damaged() -> bytes:
    content = bytearray(gzip.compress("".join(json.dumps(line) + "\n" for line in (HEAD, *ROWS)).encode(), mtime=0))
    content[20] ^= 0xFF
    return bytes(content)


@pytest.mark.parametrize("content", [damaged(), gzip.compress(b"[1]\n", mtime=0), b"no gzip"])
def test_what_is_no_whole_copy_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "ledger.gz"
    file.write_bytes(content)
    tables: Any = object()  # which is not asked for anything

    with pytest.raises(PermanentError, match="cannot be read as a copy"):
        restore(tables, file)
