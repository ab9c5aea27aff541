"""Quarantined fingerprints. Table ``runs``, partition = pipeline, row ``x-<fingerprint>``."""

from dataclasses import replace
from datetime import datetime

from shared.clients.ledger.keys import end_of
from shared.clients.ledger.tables import MOST_RACES, Row, Table
from shared.errors import TransientError
from shared.messages import Quarantine
from shared.values.wire import from_text, to_text

_PREFIX = "x-"


class QuarantineLedger:
    """Stores quarantines, active and lifted: a lifted one says which failures do not count any more."""

    def __init__(self, runs: Table) -> None:
        self._runs = runs

    def get(self, pipeline: str, fingerprint: str) -> Quarantine | None:
        """The quarantine of a fingerprint, active or lifted."""
        row = self._runs.get(pipeline, _key(fingerprint))
        return _quarantine(row) if row else None

    def of(self, pipeline: str) -> list[Quarantine]:
        """Every quarantine of the pipeline, active or lifted, newest first."""
        rows = self._runs.rows(pipeline, _PREFIX, end_of(_PREFIX))
        return sorted(map(_quarantine, rows), key=lambda quarantine: quarantine.since, reverse=True)

    def put(self, quarantine: Quarantine) -> None:
        """Store it, unless it was lifted for the same failures meanwhile."""
        values = {"quarantine": to_text(quarantine)}
        for _ in range(MOST_RACES):
            row = self._runs.get(quarantine.pipeline, _key(quarantine.fingerprint))
            if row is None:
                if self._runs.insert(Row(quarantine.pipeline, _key(quarantine.fingerprint), values)):
                    return
                continue
            if _quarantine(row).released_attempt > quarantine.released_attempt:
                return
            if self._runs.update(Row(row.partition, row.key, values, row.etag)):
                return
        raise _busy(quarantine.pipeline)

    def lift(self, pipeline: str, fingerprint: str, at: datetime, *, by: str) -> Quarantine | None:
        """Lift the quarantine of a fingerprint, as somebody asked; None when there is no active one."""
        for _ in range(MOST_RACES):
            row = self._runs.get(pipeline, _key(fingerprint))
            if row is None or not _quarantine(row).active:
                return None
            released = _released(_quarantine(row), at, by)
            if self._runs.update(Row(row.partition, row.key, {"quarantine": to_text(released)}, row.etag)):
                return released
        raise _busy(pipeline)


def _released(quarantine: Quarantine, at: datetime, by: str) -> Quarantine:
    last = max((failure.attempt for failure in quarantine.failures), default=quarantine.released_attempt)
    return replace(quarantine, released_at=at, released_attempt=last, released_by=by)


def _key(fingerprint: str) -> str:
    return f"{_PREFIX}{fingerprint}"


def _quarantine(row: Row) -> Quarantine:
    return from_text(Quarantine, row.values["quarantine"])


def _busy(pipeline: str) -> TransientError:
    return TransientError(f"too many writers raced for a quarantine of pipeline {pipeline}")
