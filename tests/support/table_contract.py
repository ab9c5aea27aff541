"""What the ledger relies on in a table, whoever keeps it. A subclass named ``Test...`` brings the fixture ``table``."""

import pytest

from shared.clients.ledger.tables import MOST_CHANGES, Change, Delete, Insert, Row, Table, Update

ODD = "é ~'\U0001f600"  # stands in keys and values alike


def _row(key: str, etag: str = "", /, **values: object) -> Row:
    return Row("p", key, values or {"x": "1"}, etag)


def _read(table: Table, key: str) -> Row:
    row = table.get("p", key)
    assert row is not None
    return row


def _keys(table: Table) -> list[str]:
    return [row.key for row in table.rows("p")]


class TableContract:
    """The same tests for every kind of table."""

    def test_what_is_not_there_is_none(self, table: Table) -> None:
        assert table.get("p", "a") is None
        assert list(table.rows("p")) == []

    def test_what_was_inserted_is_read_back_as_it_was(self, table: Table) -> None:
        values = {
            "text": f"{ODD}\n\t",
            "empty": "",
            "yes": True,
            "no": False,
            "number": 2**31 - 1,
            "long": "x" * 32_768,
        }
        assert table.insert(Row(ODD, ODD, values))
        row = table.get(ODD, ODD)
        assert row is not None
        assert row.values == values
        assert row.etag

    def test_a_row_is_inserted_once(self, table: Table) -> None:
        assert table.insert(_row("a"))
        assert not table.insert(_row("a", x="2"))
        assert _read(table, "a").values == {"x": "1"}

    def test_rows_are_inserted_together_or_not_at_all(self, table: Table) -> None:
        table.insert(_row("b"))
        assert not table.insert(_row("a"), _row("b"), _row("c"))
        assert _keys(table) == ["b"]
        assert table.insert(_row("a"), _row("c"))
        assert _keys(table) == ["a", "b", "c"]

    def test_a_transaction_takes_so_many_changes(self, table: Table) -> None:
        assert table.transact(*(Insert(_row(f"{n:03}", x="x" * 1000)) for n in range(MOST_CHANGES))) is None
        assert len(_keys(table)) == MOST_CHANGES

    def test_an_update_merges_and_needs_what_was_read(self, table: Table) -> None:
        table.insert(_row("a", x="1", y="1"))
        read = _read(table, "a")
        assert table.update(_row("a", read.etag, y="2", z=True))
        assert _read(table, "a").values == {"x": "1", "y": "2", "z": True}
        assert not table.update(_row("a", read.etag, y="3"))
        assert _read(table, "a").values["y"] == "2"

    def test_several_are_updated_together_or_not_at_all(self, table: Table) -> None:
        table.insert(_row("a"), _row("b"))
        a, b = _read(table, "a"), _read(table, "b")
        assert table.update(_row("a", a.etag, x="2"))
        assert not table.update(_row("a", a.etag, x="3"), _row("b", b.etag, x="3"))
        assert [row.values["x"] for row in table.rows("p")] == ["2", "1"]
        assert table.update(_row("a", _read(table, "a").etag, x="4"), _row("b", b.etag, x="4"))
        assert [row.values["x"] for row in table.rows("p")] == ["4", "4"]

    def test_what_is_gone_is_not_updated(self, table: Table) -> None:
        table.insert(_row("a"))
        read = _read(table, "a")
        table.delete(read)
        assert not table.update(_row("a", read.etag))
        assert table.get("p", "a") is None

    def test_a_put_adds_or_merges(self, table: Table) -> None:
        table.put(_row("a", x="1"))
        table.put(_row("a", y="2"))
        assert _read(table, "a").values == {"x": "1", "y": "2"}

    def test_a_delete_needs_what_was_read_unless_it_has_no_etag(self, table: Table) -> None:
        table.insert(_row("a"))
        read = _read(table, "a")
        table.put(_row("a", x="2"))
        assert not table.delete(read)
        assert table.delete(_row("a"))
        assert table.delete(read), "what is gone counts as removed"
        assert _keys(table) == []

    def test_changes_of_all_kinds_go_together(self, table: Table) -> None:
        table.insert(_row(f"a{ODD}"), _row("b"))
        a, b = _read(table, f"a{ODD}"), _read(table, "b")
        changes: list[Change] = [Delete(a), Update(_row("b", b.etag, y=True)), Insert(_row("c"))]
        assert table.transact(*changes) is None
        assert [(row.key, row.values) for row in table.rows("p")] == [("b", {"x": "1", "y": True}), ("c", {"x": "1"})]

    @pytest.mark.parametrize("kind", ["inserted twice", "update of a changed", "update of a gone", "delete of a gone"])
    def test_a_transaction_says_which_change_did_not_hold_and_makes_none(self, table: Table, kind: str) -> None:
        table.insert(_row("a"), _row("z"))
        a, z = _read(table, "a"), _read(table, "z")
        table.put(_row("a", x="2"))
        table.delete(z)
        kinds: dict[str, Change] = {
            "inserted twice": Insert(_row("a")),
            "update of a changed": Update(_row("a", a.etag, x="3")),
            "update of a gone": Update(_row("z", z.etag)),
            "delete of a gone": Delete(z),
        }
        assert table.transact(Insert(_row("b")), Insert(_row("c")), kinds[kind], Insert(_row("d"))) == 2
        assert [(row.key, row.values) for row in table.rows("p")] == [("a", {"x": "2"})]

    def test_a_deleted_row_without_etag_may_be_any(self, table: Table) -> None:
        table.insert(_row("a"))
        assert table.transact(Delete(_row("a")), Insert(_row("b"))) is None
        assert _keys(table) == ["b"]

    def test_a_range_has_its_start_and_not_its_end(self, table: Table) -> None:
        for key in ("b", "a", "c", "~", "B"):
            table.insert(_row(key))
        table.insert(Row("other", "b", {}))
        assert [row.key for row in table.rows("p", "a", "c")] == ["a", "b"]
        assert [row.key for row in table.rows("p", "b")] == ["b", "c", "~"]
        assert _keys(table) == ["B", "a", "b", "c", "~"]

    def test_more_rows_than_a_page_come_in_order(self, table: Table) -> None:
        for start in range(0, 60, 20):
            table.insert(*(_row(f"{n:03}") for n in range(start, start + 20)))
        assert [row.key for row in table.rows("p", page=7)] == [f"{n:03}" for n in range(60)]

    def test_rows_are_picked_by_a_columns_text(self, table: Table) -> None:
        table.insert(_row("a", x=ODD, n=1), _row("b", x="other", n=2), _row("c", y=ODD, n=3))
        found = list(table.rows("p", where={"x": ODD}))
        assert [(row.key, row.values) for row in found] == [("a", {"x": ODD, "n": 1})]
        assert list(table.rows("p", where={"x": "' or true or x eq '"})) == []

    def test_only_the_columns_asked_for_come(self, table: Table) -> None:
        table.insert(_row("a", x="1", y="2", z=True), _row("b", x="1"))
        found = [
            (row.key, {k: v for k, v in row.values.items() if v is not None}) for row in table.rows("p", select=["y"])
        ]
        assert found == [("a", {"y": "2"}), ("b", {})]

    def test_a_row_that_was_listed_can_be_updated(self, table: Table) -> None:
        table.insert(_row("a"))
        [row] = table.rows("p")
        assert table.update(_row("a", row.etag, x="2"))
