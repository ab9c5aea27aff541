"""Messages of sealed training: commands of a folder, what they may use, what was compared, what left the site."""

from dataclasses import dataclass, field
from enum import StrEnum

SEALED_SCHEMA = 4
"""Run requests of this schema and later train by commands in containers without a network; see :class:`Workload`."""


class ColumnKind(StrEnum):
    """What the cells of a column of a CSV file are. ``DATE``: year, month and day as ``2026-11-28``."""

    NUMBER = "number"
    INTEGER = "integer"
    TEXT = "text"
    DATE = "date"


class DataFormat(StrEnum):
    """``CSV``: every file is checked by its columns before anything runs. ``FILES``: blobs are taken as they are."""

    CSV = "csv"
    FILES = "files"


class ModelFormat(StrEnum):
    """``SAFE``: files that hold numbers only. ``PICKLE``: also pickles, where the site's own policy allows them."""

    SAFE = "safe"
    PICKLE = "pickle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """What a column of a CSV file holds. ``least`` and ``most`` are included; dates are texts."""

    kind: ColumnKind
    nullable: bool = False
    values: tuple[str | int | float, ...] | None = None
    least: int | float | str | None = None
    most: int | float | str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What the container of a training may use; ``memory`` and ``disk`` such as ``512m`` or ``4g``."""

    memory: str = "4g"
    cpus: float = 2.0
    gpus: int = 0
    disk: str = "20g"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What runs in the containers of a training, and on which data.

    ``train`` and ``evaluate``: commands with placeholders such as ``${{inputs.data}}``, see
    :mod:`shared.decisions.training.commands`.
    """

    train: str
    evaluate: str
    resources: Resources = field(default_factory=Resources)
    data_format: DataFormat = DataFormat.CSV
    columns: dict[str, Column] = field(default_factory=dict)
    model_format: ModelFormat = ModelFormat.SAFE


@dataclass(frozen=True, slots=True, kw_only=True)
class Certainty:
    """How sure the judgement must be that the challenger is not worse than the champion.

    The mean difference of both models' losses on the hold-out's rows must be at most ``tolerance`` at the upper end of
    its interval of this ``level``.
    """

    level: float = 0.95
    tolerance: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class McNemar:
    """McNemar's exact test for models that are right or wrong about each row; ``p`` two-sided."""

    only_champion_wrong: int
    only_challenger_wrong: int
    p: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """A part of the hold-out's rows, and the mean difference of the losses on it."""

    name: str
    rows: int
    difference: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The losses of two models on the same rows, made on the VM, where the rows stay.

    ``difference``: mean of challenger's loss minus champion's, so below zero the challenger is better; from ``low`` to
    ``high`` is its interval of ``level`` by a paired bootstrap. ``rows_needed``: with about so many rows an interval
    that has zero in it would not; None when that is not known, or not needed.
    """

    rows: int
    difference: float
    low: float
    high: float
    level: float
    resamples: int
    method: str
    mcnemar: McNemar | None = None
    worst_slice: Slice | None = None
    rows_needed: int | None = None


class SignatureState(StrEnum):
    """What is known of the signature of a receipt. ``NOT_CHECKED``: no public key of the site is in the settings."""

    VALID = "valid"
    NOT_CHECKED = "not_checked"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptSummary:
    """What left the site with a run: numbers of bytes and items, of the site's own receipt.

    ``network_bytes``: received and sent by the containers, which have no network. ``job_version`` and ``policy``
    (SHA-256 in hex) say by which program and which rules of the site. ``failed_checks``: names of checks.
    """

    released_bytes: int
    released: int
    held_back: int
    network_bytes: int
    job_version: str = ""
    policy: str = ""
    failed_checks: tuple[str, ...] = ()
    signature: SignatureState = SignatureState.NOT_CHECKED


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundReceipt:
    """The receipt of a training; None when it left none."""

    receipt: ReceiptSummary | None = None
