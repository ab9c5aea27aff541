"""The site's own rules, a file on the VM that the cloud cannot change. Whatever it does not allow is refused.

::

    registries: [registry.example]      # images come from here only
    pipelines:                          # a pipeline's own name, or "*" for all that are not named
      breast-cancer:
        site: factory
        containers: [breast-cancer]
        prefixes: [landing/, holdout/]  # what the names of blobs must begin with; [""] for all
        pickles: refused                # refused | allowed
        row_check: required             # required | waived
        extra_types: []                 # exact names, such as sklearn.svm._classes.SVC
    limits: {memory: 8g, cpus: 4, gpus: 0, pids: 512, seconds: 86400, disk: 50g, output: 2g, log: 50m, model: 1g,
             cache: 50g}
    leaves: {metrics: 64, reasons: ours, slices: [], least_rows: 20}
    keep_runs: 3                        # folders of runs that are kept on the VM for inspection
    container_user: 65532
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from site_agent.job.failures import OutsideError
from site_agent.job.fields import Fields, choice, list_of, real, shown_size, size, text, whole
from site_agent.job.order import Order

ANY: Final = "*"
_MOST_BYTES: Final = 1024 * 1024
_HOST: Final = text(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?", "a registry's host, such as registry.example or 10.0.0.5:5000")
_GIB: Final = 1024**3


class PolicyError(OutsideError):
    """The policy file is missing or wrong, so that nothing may run; the text names file and field."""


class PolicyRefusedError(OutsideError):
    """The policy does not allow what was asked. ``rule``: the field of the policy that says so."""

    def __init__(self, rule: str, file: str, trouble: str) -> None:
        super().__init__(f"the site's policy refuses this run: {trouble} (rule {rule} in {file} on the VM)")
        self.rule = rule


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineRule:
    """What one pipeline may do. ``name``: its name in the policy, which may be ``*``."""

    name: str
    site: str
    containers: tuple[str, ...]
    prefixes: tuple[str, ...]
    pickles: str = "refused"
    row_check: str = "required"
    extra_types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Ceilings. Sizes in bytes; ``output``: what a container may write where results are expected."""

    memory: int = 8 * _GIB
    cpus: float = 4.0
    gpus: int = 0
    pids: int = 512
    seconds: int = 86_400
    disk: int = 50 * _GIB
    output: int = 2 * _GIB
    log: int = 50 * 1024**2
    model: int = _GIB
    cache: int = 50 * _GIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaves:
    """What may leave the site. ``reasons``: ``ours``, or ``script`` for a text of the training code too."""

    metrics: int = 64
    reasons: str = "ours"
    slices: tuple[str, ...] = ()
    least_rows: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The policy of a site. ``file``: where it is, as people know it; ``sha256``: of its bytes."""

    file: str
    sha256: str
    registries: tuple[str, ...]
    pipelines: Mapping[str, PipelineRule]
    limits: Limits = field(default_factory=Limits)
    leaves: Leaves = field(default_factory=Leaves)
    keep_runs: int = 3
    container_user: int = 65_532

    def rule(self, pipeline: str) -> PipelineRule:
        """The rule of a pipeline; raises :class:`PolicyRefusedError` when none is for it."""
        found = self.pipelines.get(pipeline) or self.pipelines.get(ANY)
        if found is None:
            raise self._refusal("pipelines", f"it names neither the pipeline {pipeline} nor *")
        return found

    def check(self, order: Order) -> None:
        """Raises :class:`PolicyRefusedError` for the first thing that the order asks and the policy does not allow."""
        rule = self.rule(order.pipeline)
        at = f"pipelines.{rule.name}"
        if order.site != rule.site:
            raise self._refusal(f"{at}.site", f"data of site {order.site}, where {rule.site} is allowed")
        if order.container not in rule.containers:
            raise self._refusal(f"{at}.containers", f"container {order.container} is not among those allowed")
        if order.model_format == "pickle" and rule.pickles != "allowed":
            raise self._refusal(f"{at}.pickles", "models that are pickles are not allowed")
        self.check_image(order.image)
        if order.champion is not None:
            self.check_image(order.champion.image)
        self._check_limits(order)

    def check_image(self, image: str) -> None:
        """Raises :class:`PolicyRefusedError` for an image of a registry that is not trusted."""
        host = image.partition("/")[0]
        if host not in self.registries:
            raise self._refusal("registries", f"images of registry {host} are not allowed")

    def check_blobs(self, pipeline: str, names: Iterable[str]) -> None:
        """Raises :class:`PolicyRefusedError` when a blob's name begins with none of the allowed prefixes."""
        rule = self.rule(pipeline)
        strange = [name for name in names if not name.startswith(rule.prefixes)]
        if strange:
            trouble = f"{len(strange)} of its files lie outside of the allowed prefixes"
            raise self._refusal(f"pipelines.{rule.name}.prefixes", trouble)

    def _check_limits(self, order: Order) -> None:
        asked, most = order.resources, self.limits
        sizes = (("memory", asked.memory, most.memory), ("disk", asked.disk, most.disk))
        numbers = (("cpus", asked.cpus, most.cpus), ("gpus", asked.gpus, most.gpus))
        for name, wanted, limit in sizes:
            if wanted > limit:
                trouble = f"resources.{name} of {shown_size(wanted)}, and at most {shown_size(limit)} is allowed"
                raise self._refusal(f"limits.{name}", trouble)
        for name, number, ceiling in (*numbers, ("seconds", order.seconds, most.seconds)):
            if number > ceiling:
                place = name if name == "seconds" else f"resources.{name}"
                raise self._refusal(f"limits.{name}", f"{place} of {number:g}, and at most {ceiling:g} is allowed")

    def _refusal(self, rule: str, trouble: str) -> PolicyRefusedError:
        return PolicyRefusedError(rule, self.file, trouble)


def load_policy(path: Path, *, shown: str = "") -> Policy:
    """Read a policy; raises :class:`PolicyError` naming file and field. ``shown``: the path as people know it."""
    name = shown or str(path)
    try:
        mode = path.stat().st_mode
        content = path.read_bytes()
    except OSError as error:
        reason = f"the site's policy {name} on the VM cannot be read ({error.strerror}), so that no run is allowed"
        raise PolicyError(f"{reason}; write one (docs/training-vm.md)") from None
    if mode & 0o022:
        raise PolicyError(f"the site's policy {name} on the VM can be changed by others; run chmod go-w on it")
    return parse_policy(content, file=name)


def parse_policy(content: bytes, *, file: str) -> Policy:
    """The policy of a file's bytes; raises :class:`PolicyError` naming file and field."""
    try:
        if len(content) > _MOST_BYTES:
            raise ValueError("it has more than 1 MiB")
        return _policy(Fields(_yaml(content)), file=file, sha256=hashlib.sha256(content).hexdigest())
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise PolicyError(
            f"the site's policy {file} on the VM cannot be used, so that no run is allowed: {_said(error)}"
        ) from None


def _said(error: Exception) -> str:
    mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
    return str(error) if mark is None else f"line {mark.line + 1} is not YAML"


class _Loader(yaml.SafeLoader):
    """Refuses names that stand twice, of which the last would count silently."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    pairs = [
        (loader.construct_object(key, deep=True), loader.construct_object(value, deep=True))
        for key, value in node.value
    ]
    names = [name for name, _ in pairs]
    if any(not isinstance(name, str) for name in names) or len(set(names)) != len(names):
        raise ValueError(f"line {node.start_mark.line + 1}: names must be texts that stand once")
    return dict(pairs)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def _yaml(content: bytes) -> Any:
    return yaml.load(content, Loader=_Loader)  # noqa: S506 - a SafeLoader


def _policy(fields: Fields, *, file: str, sha256: str) -> Policy:
    policy = Policy(
        file=file,
        sha256=sha256,
        registries=fields.get("registries", list_of(_HOST, most=100)),
        pipelines={name: _rule(name, part) for name, part in fields.part("pipelines").parts()},
        limits=_limits(fields.part("limits", optional=True)),
        leaves=_leaves(fields.part("leaves", optional=True)),
        keep_runs=fields.get("keep_runs", whole(0, 1000), 3),
        container_user=fields.get("container_user", whole(1, 2**31 - 2), 65_532),
    )
    fields.no_more()
    return policy


def _rule(name: str, fields: Fields) -> PipelineRule:
    rule = PipelineRule(
        name=name,
        site=fields.get("site", text(most=63)),
        containers=fields.get("containers", list_of(text(most=63), most=1_000)),
        prefixes=fields.get("prefixes", list_of(_prefix, most=1_000)),
        pickles=fields.get("pickles", choice("refused", "allowed"), "refused"),
        row_check=fields.get("row_check", choice("required", "waived"), "required"),
        extra_types=fields.get(
            "extra_types", list_of(text(r"[A-Za-z_][\w.]*", "the exact name of a type"), most=1_000), ()
        ),
    )
    fields.no_more()
    return rule


def _prefix(value: Any) -> str:
    return "" if value == "" else text()(value)


def _limits(fields: Fields) -> Limits:
    usual = Limits()
    sizes = {
        name: fields.get(name, size, getattr(usual, name))
        for name in ("memory", "disk", "output", "log", "model", "cache")
    }
    limits = Limits(
        **sizes,
        cpus=fields.get("cpus", real(0.01, 4096), usual.cpus),
        gpus=fields.get("gpus", whole(0, 64), usual.gpus),
        pids=fields.get("pids", whole(16, 1_000_000), usual.pids),
        seconds=fields.get("seconds", whole(1, 31 * 86_400), usual.seconds),
    )
    fields.no_more()
    return limits


def _leaves(fields: Fields) -> Leaves:
    leaves = Leaves(
        metrics=fields.get("metrics", whole(1, 1_000), 64),
        reasons=fields.get("reasons", choice("ours", "script"), "ours"),
        slices=fields.get("slices", list_of(text(most=100), most=1_000), ()),
        least_rows=fields.get("least_rows", whole(2, 1_000_000), 20),
    )
    fields.no_more()
    return leaves
