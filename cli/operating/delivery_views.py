"""Targets, models, decisions, actions, and two runs side by side, as tables and facts."""

from collections.abc import Iterator, Sequence

from cli.client.delivery_answers import (
    Action,
    Compared,
    ComparedRun,
    Decided,
    FileChanges,
    Model,
    ModelVersion,
    ObservedRelease,
    Target,
)
from cli.operating.blocks import Block, Cell, Column, FactList, Line, Row, Tone, table
from cli.operating.words import digest, interval, number, outcome, when, when_short, zone
from shared.values.texts import counted, shortened

_STATES = {"healthy": Tone.GOOD, "unhealthy": Tone.BAD, "gone": Tone.BAD}
_STAGES = {"champion": Tone.GOOD, "candidate": Tone.BUSY, "retired": Tone.QUIET}
_SHORT = 100


def target_table(targets: Sequence[Target]) -> Block:
    """What serves where, since when, and whether that is what should."""
    rows: list[Row] = [
        [
            each.target,
            each.pipeline,
            each.serving or "nothing",
            when_short(each.since),
            each.endpoint or "",
            _state(each),
        ]
        for each in targets
    ]
    columns = [
        Column("target"),
        Column("pipeline"),
        Column("serving"),
        Column(f"since ({zone(*(each.since for each in targets))})", spare=True),
        Column("scored at", spare=True),
        Column("state", flexible=True),
    ]
    return table(columns, rows, empty="no model was delivered anywhere yet")


def _state(target: Target) -> Cell:
    if target.drift:
        return Cell(target.drift, Tone.BAD)
    if target.observed_at is None:
        return Cell("not looked at yet", Tone.QUIET)
    return Cell("as it should be", Tone.GOOD)


def target_blocks(target: Target) -> Iterator[Block]:
    """Everything about one target and one pipeline."""
    yield Line(target.sentence)
    facts = FactList()
    facts.add("target", target.target)
    facts.add("pipeline", target.pipeline)
    facts.add("serving", f"{target.serving} since {when(target.since)}" if target.serving else "nothing")
    facts.add("scored at", target.endpoint)
    facts.add("differs", target.drift, Tone.BAD)
    wanted = ", ".join(f"{each.run_id} with {each.weight} %" for each in target.desired)
    facts.add("should serve", f"{wanted or 'nothing'}, asked for by {target.desired_by or 'nobody'}")
    facts.add("looked at", when(target.observed_at))
    facts.add("can go back to", ", ".join(target.kept))
    yield facts.block()
    if target.observed:
        columns = [Column("release"), Column("state"), Column("weight", right=True), Column("requests", right=True)]
        more = [
            Column("errors", right=True),
            Column("latency", right=True, spare=True),
            Column("trouble", flexible=True),
        ]
        yield table([*columns, *more], map(_release, target.observed))


def _release(release: ObservedRelease) -> Row:
    return [
        release.run_id,
        Cell(release.state, _STATES.get(release.state, Tone.BUSY)),
        f"{release.weight} %",
        str(release.requests),
        str(release.errors),
        "" if release.latency_ms is None else f"{number(release.latency_ms)} ms",
        release.trouble,
    ]


def model_table(models: Sequence[Model]) -> Block:
    """Every model with the version that serves."""
    rows: list[Row] = [
        [each.name, ", ".join(each.pipelines), each.champion or "none", str(len(each.versions)), _newest(each)]
        for each in models
    ]
    columns = [
        Column("model"),
        Column("pipelines"),
        Column("champion", right=True),
        Column("shown", right=True, spare=True),
    ]
    return table([*columns, Column("newest version", flexible=True)], rows, empty="no models yet")


def _newest(model: Model) -> str:
    return f"{model.versions[0].version} of {model.versions[0].run_id}" if model.versions else ""


def model_blocks(model: Model) -> Iterator[Block]:
    """One model with its versions."""
    facts = FactList()
    facts.add("model", model.name)
    facts.add("pipelines", ", ".join(model.pipelines))
    facts.add("champion", model.champion or "none")
    yield facts.block()
    columns = [
        Column("version", right=True),
        Column("stage"),
        Column("run"),
        Column("outcome"),
        Column(f"ended ({zone(*(each.ended_at for each in model.versions))})", spare=True),
        Column("on", spare=True),
        Column("metrics", flexible=True),
    ]
    yield table(columns, map(_version, model.versions), empty="no versions yet")


def _version(version: ModelVersion) -> Row:
    return [
        version.version,
        Cell(version.stage, _STAGES.get(version.stage, Tone.PLAIN)),
        version.run_id,
        outcome(version.outcome) if version.outcome else "",
        when_short(version.ended_at),
        ", ".join(version.targets),
        ", ".join(f"{name} {number(value)}" for name, value in version.metrics.items()),
    ]


def decided_blocks(decided: Decided) -> Iterator[Block]:
    """What was decided, by whom."""
    yield Line(decided.sentence)
    rows: list[Row] = [[each.target, each.decision, each.by, when(each.at), each.reason] for each in decided.decisions]
    columns = [Column("target"), Column("decision"), Column("by"), Column("at", spare=True)]
    if rows:
        yield table([*columns, Column("reason", flexible=True)], rows)


def action_blocks(action: Action) -> Iterator[Block]:
    """How a roll-back or a retirement goes, and what is left to do."""
    tone = {"done": Tone.GOOD, "failed": Tone.BAD}.get(action.state, Tone.BUSY)
    yield Line(action.sentence, tone)
    facts = FactList()
    facts.add("action", action.action_id)
    facts.add("state", action.state, tone)
    facts.add("pipeline", action.pipeline)
    facts.add("target", action.target)
    facts.add("to", action.to)
    facts.add("asked for", f"{when(action.asked_at)} by {action.by}")
    facts.add("reason", action.reason)
    facts.add("ended", when(action.ended_at))
    yield facts.block()
    if action.left:
        left: list[Row] = [[each] for each in action.left]
        yield table([Column("left to do", flexible=True)], left)


def comparison_blocks(compared: Compared) -> Iterator[Block]:
    """Two runs side by side: what they were made of, and what came out."""
    left, right = compared.left, compared.right
    yield Line(compared.sentence)
    one, other = _made_of(left), _made_of(right)
    for each in compared.parameters:
        one[f"parameter {each.name}"], other[f"parameter {each.name}"] = _shown(each.left), _shown(each.right)
    rows: list[Row] = [
        [name, one[name], other[name], "same" if one[name] == other[name] else Cell("differs", Tone.BUSY)]
        for name in one
        if one[name] or other[name]
    ]
    sides = [Column(left.run_id, flexible=True), Column(right.run_id, flexible=True)]
    yield table([Column("what"), *sides, Column("", spare=True)], rows)
    if compared.files is not None:
        yield from _files(compared.files)
    elif compared.files_unknown:
        yield Line(f"Which files differ is not known: {compared.files_unknown}")
    metrics: list[Row] = [
        [each.name, number(each.left), number(each.right), _change(each.difference, told=compared.comparable)]
        for each in compared.metrics
    ]
    numbers = [Column(title, right=True) for title in (left.run_id, right.run_id, "change")]
    yield table([Column("metric"), *numbers], metrics, empty="neither run has metrics")
    if compared.interval is not None:
        yield Line(f"difference: {interval(compared.interval)}")


def _made_of(run: ComparedRun) -> dict[str, str]:
    return {
        "pipeline": run.pipeline,
        "state": (run.outcome or run.stage).replace("_", " "),
        "asked for": when(run.requested_at),
        "files": str(run.files) if run.files else "",
        "data": digest(run.snapshot),
        "code": digest(run.code),
        "hold-out": digest(run.holdout),
        "evaluation code": digest(run.evaluator),
        "image": digest(run.image.rpartition("@")[2]) if run.image else "",
    }


def _shown(value: object) -> str:
    return "" if value is None else shortened(value, _SHORT)


def _change(difference: float | None, *, told: bool) -> Cell:
    if difference is None:
        return Cell("")
    return Cell(f"{difference:+.4g}") if told else Cell("not comparable", Tone.QUIET)


def _files(files: FileChanges) -> Iterator[Block]:
    groups = (
        ("added", files.added, files.first_added),
        ("removed", files.removed, files.first_removed),
        ("changed", files.changed, files.first_changed),
    )
    rows: list[Row] = [
        [what, str(count), ", ".join(names) + (", ..." if count > len(names) else "")]
        for what, count, names in groups
        if count
    ]
    columns = [Column("files"), Column("number", right=True), Column("such as", flexible=True)]
    yield table(columns, rows, empty=f"{counted(0, 'file')} differ")
