"""SQLite files of the stand-ins: of one format, and with transactions that survive the death of the process."""

import sqlite3
from collections.abc import Iterable
from pathlib import Path


class StateFileError(Exception):
    """The file cannot be used: another process has it, or it is of another format. The text says which."""


def open_sqlite(
    path: Path | str,
    schema: str,
    version: int,
    *,
    pragmas: Iterable[str] = ("locking_mode = EXCLUSIVE",),
    patience: float = 2.0,
) -> sqlite3.Connection:
    """Open a file, or make it with this schema; ``:memory:`` is one that does not survive.

    By default no other process can use it as long as it is open. Raises :class:`StateFileError`, when another has the
    file after ``patience`` seconds.
    """
    if isinstance(path, Path):
        path.touch(mode=0o600)  # before SQLite makes it (and its log) readable for all
    connection = sqlite3.connect(path, isolation_level=None, timeout=patience, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    try:
        # A write-ahead log: what is committed is with the kernel and survives this process, however it ends. Only a
        # power cut may take the last transactions with it, which FULL would prevent at an fsync each.
        for pragma in (*pragmas, "journal_mode = WAL", "synchronous = NORMAL"):
            connection.execute(f"PRAGMA {pragma}")
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        if found == 0:
            connection.executescript(f"BEGIN; {schema} PRAGMA user_version = {version}; COMMIT;")
    except sqlite3.DatabaseError as error:
        connection.close()
        raise StateFileError(f"{path} cannot be opened, another process may have it: {error}") from error
    if found not in {0, version}:
        connection.close()
        raise StateFileError(f"{path} has format {found}, this stand-in reads {version}; remove it: make clean")
    return connection
