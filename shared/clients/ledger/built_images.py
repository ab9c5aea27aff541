"""Which image was built for which run. Table ``targets``, partition ``image``, row = digest of the run id.

A target is given only images that stand here: whoever may start an orchestration cannot name one of their own.
"""

from collections.abc import Iterator

from shared.clients.ledger.keys import digest
from shared.clients.ledger.tables import Row, Table
from shared.messages import KnownImage
from shared.values.wire import from_text, to_text

_PARTITION = "image"


class BuiltImageLedger:
    """Stores the images of runs."""

    def __init__(self, targets: Table) -> None:
        self._targets = targets

    def of(self, run_id: str) -> KnownImage | None:
        """The image of a run; None when none was built."""
        row = self._targets.get(_PARTITION, digest(run_id))
        return from_text(KnownImage, row.values["image"]) if row else None

    def all(self) -> Iterator[KnownImage]:
        """The images of all runs, in no order that means something."""
        for row in self._targets.rows(_PARTITION):
            yield from_text(KnownImage, row.values["image"])

    def keep(self, image: KnownImage) -> None:
        """Record the image of a run; a build that is repeated replaces it."""
        self._targets.put(Row(_PARTITION, digest(image.run_id), {"run_id": image.run_id, "image": to_text(image)}))

    def forget(self, run_id: str) -> None:
        """Remove the image of a run from the list."""
        self._targets.delete(Row(_PARTITION, digest(run_id), {}))
