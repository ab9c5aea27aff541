"""What left a site in one run, what was held back and why, as a document that others can read and check."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

SCHEMA: Final = 1
MEDIA_TYPE: Final = "application/vnd.edgetrain.receipt+json"
PASSED, FAILED, NOT_APPLICABLE = "passed", "failed", "not_applicable"
_MOST_HELD_BACK: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """A file that left, or the reason of a failure. ``rule``: why it may."""

    name: str
    kind: str
    bytes: int
    sha256: str
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldBack:
    """What did not leave. ``name`` is empty when it is not a plain name, which could be data."""

    name: str
    kind: str
    bytes: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A check and its result: ``passed``, ``failed`` or ``not_applicable``."""

    name: str
    result: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Bytes that a container received and sent, by the counters of its network namespace."""

    container: str
    received: int
    sent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """One run's receipt. Times are UTC, in ISO 8601."""

    run_id: str
    pipeline: str
    job_version: str
    policy_sha256: str
    image: str
    released: Sequence[Released] = ()
    held_back: Sequence[HeldBack] = ()
    checks: Sequence[Check] = ()
    network: Sequence[Traffic] = ()
    started_at: str = ""
    ended_at: str = ""
    schema: int = field(default=SCHEMA)

    @property
    def released_bytes(self) -> int:
        """Bytes of everything that left, besides the receipt itself."""
        return sum(each.bytes for each in self.released)

    def as_json(self) -> Mapping[str, Any]:
        """The document. Of many files that were held back, some are named and the others counted."""
        document: dict[str, Any] = {name: getattr(self, name) for name in self.__dataclass_fields__}
        for name in ("released", "checks", "network"):
            document[name] = [asdict(each) for each in document[name]]
        document["released_bytes"] = self.released_bytes
        document["held_back"] = [asdict(each) for each in _shortened(self.held_back)]
        return document

    def as_bytes(self) -> bytes:
        """The document as it is signed: sorted names, no spaces, UTF-8."""
        return json.dumps(self.as_json(), sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")

    @property
    def sentence(self) -> str:
        """What a person wants to know first."""
        held = f"; {len(self.held_back)} files were held back" if self.held_back else ""
        traffic = sum(each.received + each.sent for each in self.network)
        moved = f"the containers moved {traffic:,} bytes over a network"
        return f"nothing but {self.released_bytes:,} bytes left the site; {moved}{held}"


def _shortened(held_back: Sequence[HeldBack]) -> list[HeldBack]:
    """Names that are not plain are counted by reason, and so are all beyond the first fifty."""
    named = [each for each in held_back if each.name][:_MOST_HELD_BACK]
    counted: dict[str, tuple[int, int]] = {}
    for each in held_back:
        if not each.name or each not in named:
            count, size = counted.get(each.reason, (0, 0))
            counted[each.reason] = count + 1, size + each.bytes
    rest = [
        HeldBack(name="", kind="file", bytes=size, reason=f"{reason} ({count} not named)")
        for reason, (count, size) in counted.items()
    ]
    return named + rest
