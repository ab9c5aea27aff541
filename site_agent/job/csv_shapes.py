"""Detect files that are not plain CSV, and describe the difference. Pure; quotes nothing from the file."""

import re
from collections.abc import Sequence

BOM = "\ufeff"

_BEGINNINGS = (
    (b"\x1f\x8b", "compressed with gzip; upload it unpacked"),
    (b"PK\x03\x04", "a zip archive, such as an Excel workbook; upload the CSV file itself"),
    (b"PK\x05\x06", "an empty zip archive; upload the CSV file itself"),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook of the old kind; save it as CSV"),
    (b"BZh", "compressed with bzip2; upload it unpacked"),
    (b"\xfd7zXZ", "compressed with xz; upload it unpacked"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd; upload it unpacked"),
    (b"PAR1", "a Parquet file; save it as CSV"),
    (b"%PDF", "a PDF document; save the table as CSV"),
    (b"\xff\xfe", "UTF-16 text, not UTF-8; save the file as UTF-8"),
    (b"\xfe\xff", "UTF-16 text, not UTF-8; save the file as UTF-8"),
)
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
# Digits can be divided in one way only: with `\d+\.?\d*` a cell of 100,000 digits and a letter would take minutes.
_PLAIN = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_NOT_FINITE = {"nan", "inf", "infinity"}


def no_text(beginning: bytes) -> str:
    """The format that the first bytes of a file show; empty when they may be the beginning of a CSV file."""
    for magic, what in _BEGINNINGS:
        if beginning.startswith(magic):
            return what
    pairs = beginning[:64]
    if len(pairs) >= 4 and (set(pairs[1::2]) == {0} or set(pairs[0::2]) == {0}):
        return "UTF-16 text, not UTF-8; save the file as UTF-8"
    return ""


def no_header(line: str, titles: Sequence[str], wanted: Sequence[str]) -> str:
    """Why the first line lacks the wanted columns, as far as it shows; empty when that is not clear."""
    text = line.strip()
    separators = [name for sign, name in _SEPARATORS.items() if text.count(sign) >= len(wanted) - 1 > 0]
    separated = f"the columns are separated by {''.join(separators[:1])}; use commas, and write decimals with a dot"
    other_case = {title.lower() for title in titles} >= {column.lower() for column in wanted}
    reasons = (
        (not text, "the line is blank, and must be the header"),
        (line.startswith(BOM), "the header begins with a second byte order mark; save the file again as UTF-8"),
        (text.lower().startswith("sep="), "a line for spreadsheets (sep=), where the header must be; remove it"),
        (text.startswith("#"), "a comment, where the header must be; remove it"),
        (separators, separated),
        (other_case, "the columns are there in other capital or small letters; write them as agreed"),
        (all(map(_PLAIN.fullmatch, titles)), "the file has no header: its first line is a row of numbers"),
    )
    return next((reason for holds, reason in reasons if holds), "")


def no_number(cell: str) -> str:
    """Why a cell is not a finite number."""
    text = cell.strip()
    if not text:
        return "empty"
    if text.lstrip("+-").lower() in _NOT_FINITE or _PLAIN.fullmatch(text):
        return "not a finite number"
    if _PLAIN.fullmatch(text.replace(",", ".", 1)):
        return "not a number; write decimals with a dot, and nothing between thousands"
    if _PLAIN.fullmatch(re.sub(r"[,' \u00a0\u202f]", "", text)):
        return "not a number; write nothing between thousands"
    return "not a number"


def is_plain(cell: str) -> bool:
    """Whether a cell is a number in the usual form; Python also accepts 1_000 and digits of other scripts."""
    return _PLAIN.fullmatch(cell) is not None
