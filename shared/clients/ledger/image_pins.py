"""Pins of images: table ``imagepins``, partition = repository with dots for slashes, row = tag."""

from datetime import UTC, datetime

from shared.clients.ledger.tables import MOST_RACES, Row, Table
from shared.errors import TransientError
from shared.oci.references import ImageName
from shared.training_code.pinned_images import ImagePin


class ImagePinLedger:
    """Keeps which digest each tag had when it was pinned."""

    def __init__(self, pins: Table) -> None:
        self._pins = pins

    def pin(self, name: ImageName) -> ImagePin | None:
        """The pin of a tag; None when it has none."""
        row = self._pins.get(*_key(name))
        return _pin(row) if row else None

    def pin_once(self, name: ImageName, digest: str, at: datetime) -> ImagePin:
        """Pin the tag to this digest unless it is pinned already; returns the pin that holds."""
        if self._pins.insert(Row(*_key(name), _values(digest, at))):
            return ImagePin(digest=digest, at=at)
        kept = self.pin(name)
        if kept is None:
            raise TransientError(f"the pin of {name} was there and is gone; try again")
        return kept

    def pin_anew(self, name: ImageName, digest: str, at: datetime) -> ImagePin:
        """Pin the tag to this digest, whatever it was pinned to before."""
        for _ in range(MOST_RACES):
            row = self._pins.get(*_key(name))
            if row is None:
                if self._pins.insert(Row(*_key(name), _values(digest, at))):
                    return ImagePin(digest=digest, at=at)
            elif row.values["digest"] == digest:
                return _pin(row)
            elif self._pins.update(Row(row.partition, row.key, _values(digest, at), row.etag)):
                return ImagePin(digest=digest, at=at)
        raise TransientError(f"too many writers raced for the pin of {name}; try again")


def _key(name: ImageName) -> tuple[str, str]:
    return name.repository.replace("/", "."), name.reference  # a key holds no slash


def _values(digest: str, at: datetime) -> dict[str, str]:
    return {"digest": digest, "at": at.astimezone(UTC).isoformat()}


def _pin(row: Row) -> ImagePin:
    return ImagePin(digest=row.values["digest"], at=datetime.fromisoformat(row.values["at"]))
