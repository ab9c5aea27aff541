"""Which image carries the passport of a model's version. Table ``targets``, partition ``passport``."""

from shared.clients.ledger.keys import digest
from shared.clients.ledger.tables import Row, Table
from shared.messages import IssuedPassport
from shared.values.wire import from_text, to_text

_PARTITION = "passport"


class PassportLedger:
    """Stores where passports are."""

    def __init__(self, targets: Table) -> None:
        self._targets = targets

    def of(self, model: str, version: str) -> IssuedPassport | None:
        """The passport of a version; None when none was issued."""
        row = self._targets.get(_PARTITION, digest(model, version))
        return from_text(IssuedPassport, row.values["passport"]) if row else None

    def keep(self, passport: IssuedPassport) -> None:
        """Record the passport of a version; a repeat replaces it."""
        key = digest(passport.model, passport.version)
        self._targets.put(Row(_PARTITION, key, {"run_id": passport.run_id, "passport": to_text(passport)}))

    def forget(self, model: str, version: str) -> None:
        """Remove the passport of a version from the list."""
        self._targets.delete(Row(_PARTITION, digest(model, version), {}))
