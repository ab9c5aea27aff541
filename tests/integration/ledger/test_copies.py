"""A copy of a real ledger in a real table service, and the way back."""

import gzip
import json
from pathlib import Path

import pytest

from cli.ledger_copy.copies import back_up, restore
from shared.clients.host_storage import StorageAccess
from shared.clients.ledger.azure_tables import AzureTables
from shared.clients.ledger.tables import Row
from shared.errors import PermanentError

ROWS = {
    "runs": [
        Row("p", f"r-{number:03}", {"n": number, "x": number / 3, "text": "é\u2028\n" * number})
        for number in range(230)
    ],
    "claims": [Row(f"p-{number}", "k", {"held": number % 2 == 0, "empty": ""}) for number in range(5)],
    "champions": [],
}


def filled(tables: str, prefix: str) -> AzureTables:
    opened = AzureTables(StorageAccess.of(tables), prefix)
    for word, rows in ROWS.items():
        assert opened.table(word).get("nothing", "there") is None
        for row in rows:
            opened.table(word).put(row)
    return opened


def content(opened: AzureTables) -> dict[str, list[tuple[str, str, dict[str, object]]]]:
    return {
        word: [(row.partition, row.key, row.values) for row in opened.table(word).all_rows()] for word in opened.words()
    }


def test_what_is_restored_is_what_was_there(tables: str, prefix: str, tmp_path: Path) -> None:
    file = tmp_path / "ledger.gz"
    before, after = filled(tables, prefix), AzureTables(StorageAccess.of(tables), f"restored{prefix}")

    copied = back_up(before, file)
    restored = restore(after, file)

    assert copied.rows == {word: len(rows) for word, rows in ROWS.items()} == restored.rows
    assert {word: rows for word, rows in content(after).items() if rows} == {
        word: rows for word, rows in content(before).items() if rows
    }
    assert file.stat().st_mode & 0o777 == 0o600
    assert restore(after, file).rows == copied.rows, "an interrupted one may be repeated"


def test_nothing_is_written_over(tables: str, prefix: str, tmp_path: Path) -> None:
    file = tmp_path / "ledger.gz"
    before = filled(tables, prefix)
    back_up(before, file)
    before.table("runs").put(Row("p", "r-000", {"n": -1}))
    seen = content(before)

    with pytest.raises(PermanentError, match="1 rows that this copy has not"):
        restore(before, file)

    assert content(before) == seen


@pytest.mark.parametrize("text", ["", "not json\n", '{"format": "another"}\n'])
def test_a_file_that_is_no_copy_is_refused(tables: str, prefix: str, tmp_path: Path, text: str) -> None:
    file = tmp_path / "ledger.gz"
    file.write_bytes(gzip.compress(text.encode()))

    with pytest.raises(PermanentError, match="cop"):
        restore(AzureTables(StorageAccess.of(tables), prefix), file)


def test_a_copy_that_was_cut_short_writes_nothing(tables: str, prefix: str, tmp_path: Path) -> None:
    file = tmp_path / "ledger.gz"
    back_up(filled(tables, prefix), file)
    lines = gzip.decompress(file.read_bytes()).splitlines(keepends=True)
    assert json.loads(lines[0])["tables"] == sorted(ROWS)
    file.write_bytes(file.read_bytes()[:-20])
    after = AzureTables(StorageAccess.of(tables), f"cut{prefix}")

    with pytest.raises(PermanentError, match="cannot be read"):
        restore(after, file)

    assert after.words() == []
