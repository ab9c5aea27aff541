"""What the cloud asks of the job: one JSON text with references and settings, no data and no secret.

The app writes it (``shared/wire_contracts``); both sides have their own description of it, held together by a test.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from site_agent.job.failures import OutsideError
from site_agent.job.fields import (
    Check,
    FieldError,
    Fields,
    Scalar,
    Value,
    choice,
    flag,
    list_of,
    or_none,
    parse_json,
    real,
    scalar,
    size,
    text,
    whole,
)

SCHEMA: Final = 1
LONGEST_ORDER: Final = 128 * 1024 - 1
"""Bytes of one argument of a program on Linux."""

_RUN_ID: Final = text(
    r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}",
    "1 to 128 letters, digits, dots, hyphens and underscores, beginning with a letter or a digit",
)
_NAME: Final = text(
    r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", "1 to 63 lower-case letters, digits and hyphens, with no hyphen at the ends"
)
# Grammar of the OCI distribution specification, "Pulling manifests"; before it a host, which may have a port.
_PART: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_IMAGE: Final = text(
    rf"[A-Za-z0-9.-]+(?::[0-9]{{1,5}})?/{_PART}(?:/{_PART})*@sha256:[0-9a-f]{{64}}",
    "an image by its digest, such as registry.example/scoring/name@sha256:...",
    most=600,
)
_MOST_COLUMNS: Final = 10_000
_MOST_PARAMETERS: Final = 1_000
_PARAMETER: Final = text(most=200)


class OrderError(OutsideError):
    """The order cannot be understood; the text names the field. App and job are then of different versions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What a container may use. ``memory`` and ``disk`` in bytes."""

    memory: int
    cpus: float
    gpus: int
    disk: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A declared column. ``values``: the allowed ones; ``least`` and ``most``: numbers, or dates as texts."""

    kind: str
    nullable: bool = False
    values: tuple[Scalar, ...] | None = None
    least: Scalar | None = None
    most: Scalar | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DataContract:
    """What the files must be. ``format``: ``csv``, which is checked, or ``files``, which are taken as they are."""

    format: str
    columns: Mapping[str, Column] = field(default_factory=dict)
    on_bad_file: str = "fail"

    @property
    def leaves_out_faulty(self) -> bool:
        """Whether a file with a fault is left out of a training, instead of failing it."""
        return self.on_bad_file == "leave_out"

    @property
    def declared(self) -> dict[str, frozenset[str]]:
        """Column -> texts that the pipeline's file names as its values; known to everybody who may read that file."""
        columns = self.columns.items()
        return {name: frozenset(map(str, column.values)) for name, column in columns if column.values is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Champion:
    """The run whose model is evaluated beside the new one, and the image that has its model."""

    run_id: str
    image: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One run. ``image``: the dependency image, by digest; ``seconds``: for the run as a whole.

    ``level``: of the interval that both models are compared with.
    """

    run_id: str
    pipeline: str
    site: str
    container: str
    manifest_container: str
    manifest: str
    image: str
    train: str
    evaluate: str
    parameters: Mapping[str, Scalar]
    resources: Resources
    seconds: int
    data: DataContract
    model_format: str
    judged_metric: str
    champion: Champion | None = None
    level: float = 0.95


def parse_order(order: str) -> Order:
    """The order of a JSON text; raises :class:`OrderError` naming the field that is missing, unknown or wrong."""
    try:
        if len(order.encode("utf-8", "surrogatepass")) > LONGEST_ORDER:
            raise ValueError(f"has more than {LONGEST_ORDER} bytes")
        whole_order = Fields(parse_json(order))
        found = whole_order.get("schema", whole(0, 1_000_000))
        if found != SCHEMA:
            remedy = "prepare the VM again (edgetrain prepare-vm) with the version of the app"
            raise FieldError("schema", f"is {found}, and this job understands {SCHEMA}; {remedy}")
        return _order(whole_order)
    except (ValueError, RecursionError) as error:
        raise OrderError(f"the order to the job on the VM cannot be used: {error}") from None


def _order(fields: Fields) -> Order:
    order = Order(
        run_id=fields.get("run_id", _RUN_ID),
        pipeline=fields.get("pipeline", _NAME),
        site=fields.get("site", _NAME),
        container=fields.get("container", _NAME),
        manifest_container=fields.get("manifest_container", _NAME),
        manifest=fields.get("manifest", text()),
        image=fields.get("image", _IMAGE),
        train=fields.get("train", text(most=8_000)),
        evaluate=fields.get("evaluate", text(most=8_000)),
        parameters=fields.get("parameters", _parameters),
        resources=_resources(fields.part("resources")),
        seconds=fields.get("seconds", whole(1, 31 * 86_400)),
        data=_data(fields.part("data")),
        model_format=fields.get("model_format", choice("safe", "pickle"), "safe"),
        judged_metric=fields.get("judged_metric", text(most=100)),
        champion=_champion(fields),
        level=fields.get("level", real(0.5, 0.999), 0.95),
    )
    fields.no_more()
    return order


def _parameters(value: Any) -> dict[str, Scalar]:
    if not isinstance(value, dict) or len(value) > _MOST_PARAMETERS:
        raise ValueError(f"must be an object with at most {_MOST_PARAMETERS} fields")
    for name in value:
        _at("parameters", _PARAMETER, name)
    return {name: _at(f"parameters.{name}", scalar, each) for name, each in value.items()}


def _at(path: str, check: Check[Value], value: Any) -> Value:
    try:
        return check(value)
    except ValueError as error:
        raise FieldError(path, str(error)) from None


def _resources(fields: Fields) -> Resources:
    resources = Resources(
        memory=fields.get("memory", size),
        cpus=fields.get("cpus", real(0.01, 4096)),
        gpus=fields.get("gpus", whole(0, 64), 0),
        disk=fields.get("disk", size),
    )
    fields.no_more()
    return resources


def _data(fields: Fields) -> DataContract:
    columns = fields.part("columns", optional=True)
    if len(columns.value) > _MOST_COLUMNS:
        raise FieldError(columns.path, f"must name at most {_MOST_COLUMNS} columns")
    contract = DataContract(
        format=fields.get("format", choice("csv", "files")),
        columns={name: _column(each) for name, each in columns.parts()},
        on_bad_file=fields.get("on_bad_file", choice("fail", "leave_out"), "fail"),
    )
    fields.no_more()
    if contract.format == "csv" and not contract.columns:
        raise FieldError(columns.path, "must name the columns when the format is csv")
    return contract


def _column(fields: Fields) -> Column:
    column = Column(
        kind=fields.get("kind", choice("number", "integer", "text", "date")),
        nullable=fields.get("nullable", flag, False),
        values=fields.get("values", or_none(list_of(scalar, most=10_000, least=1)), None),
        least=fields.get("least", or_none(scalar), None),
        most=fields.get("most", or_none(scalar), None),
    )
    fields.no_more()
    return column


def _champion(fields: Fields) -> Champion | None:
    if fields.get("champion", lambda value: value, None) is None:
        return None
    part = fields.part("champion")
    champion = Champion(run_id=part.get("run_id", _RUN_ID), image=part.get("image", _IMAGE))
    part.no_more()
    return champion
