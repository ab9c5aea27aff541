"""Size limits of what is stored and shown. Pure.

A value of a table's row holds 32 Ki characters, a custom status 8 Ki, and a message about a run should not be longer.
So texts from outside are shortened before they are recorded: a record that its table refuses would be refused at every
retry, while its model is live. Lengths are those of our JSON texts, where a letter may take six characters, and an
emoji twelve.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from shared.messages import Parameters, RunRecord, TargetResult
from shared.values.texts import shortened
from shared.values.wire import to_text

LONGEST_COLUMN = 32_000
"""Characters of a text in one value of a table's row; the service takes 32 Ki."""
LONGEST_STATUS = 8_000
"""Characters of a custom status; Durable Functions takes 16 KB of UTF-16."""
LONGEST_PARAMETERS = 8_000
MOST_METRICS = 100

_WIDEST = 12  # characters of one letter in a JSON text
_LONGEST_METRICS = 6_000
_LONGEST_REASON = 3_000
_LONGEST_NOTE = 3_000
_LONGEST_REASONS_OF_TARGETS = 6_000
_LONGEST_CANARIES = 6_000
_LONGEST_WORDS_OF_APPROVALS = 2_000
_LONGEST_NAME = 60
_STEPS = (1_000, 300, 120, 60)  # longest texts in a custom status, until all of it fits


def length(value: Any) -> int:
    """The number of characters of a value in our JSON."""
    return len(json.dumps(value, separators=(",", ":")))


def fitted(text: str, longest: int) -> str:
    """The text on one line, its middle cut when it takes more than ``longest`` characters in our JSON."""
    text, most = _whole(text), longest
    while length(text) > longest and most > 8:
        text, most = shortened(text, most), most * 3 // 4
    return text if length(text) <= longest else text[: (longest - 2) // _WIDEST]


def bounded_metrics(metrics: Mapping[str, float], judged: str) -> tuple[dict[str, float], str]:
    """As many metrics as fit, the judged one first, and the sentence about those that are left out.

    Only the app leaves them out; Azure ML has them all.
    """
    kept: dict[str, float] = {}
    room = _LONGEST_METRICS
    for name in sorted(filter(_is_whole, metrics), key=lambda name: (name != judged, name)):
        needed = length({name: metrics[name]})
        if len(kept) < MOST_METRICS and needed <= room:
            kept[name] = metrics[name]
            room -= needed
    if len(kept) == len(metrics):
        return dict(metrics), ""
    missing = (
        f"{len(metrics) - len(kept)} of {len(metrics)} metrics are not kept: at most {MOST_METRICS} are, and only"
        " those whose names are texts of ordinary length; all of them are in Azure ML"
    )
    return {name: kept[name] for name in metrics if name in kept}, missing


def bounded_record(record: RunRecord) -> RunRecord:
    """The record, shortened to fit a row. One that fits is not changed."""
    metrics, _ = bounded_metrics(record.metrics, "")
    return replace(
        record,
        reason=fitted(record.reason, _LONGEST_REASON),
        note=fitted(record.note, _LONGEST_NOTE),
        metrics=metrics,
        targets=bounded_targets(record.targets),
    )


def bounded_targets(results: Sequence[TargetResult]) -> tuple[TargetResult, ...]:
    """The results of all targets of a run; they share the available length. Of a canary, the last steps are kept."""
    return tuple(_bounded_target(result, max(1, len(results))) for result in results)


def _bounded_target(result: TargetResult, count: int) -> TargetResult:
    canary, approval = result.canary, result.approval
    while sum(len(to_text(step)) for step in canary) > _LONGEST_CANARIES // count:
        canary = canary[1:]
    if approval is not None:
        by, reason = fitted(approval.by, _LONGEST_NAME), fitted(approval.reason, _LONGEST_WORDS_OF_APPROVALS // count)
        approval = replace(approval, by=by, reason=reason)
    reason = fitted(result.reason, _LONGEST_REASONS_OF_TARGETS // count)
    return replace(result, reason=reason, canary=canary, approval=approval)


def bounded_status(status: dict[str, Any]) -> dict[str, Any]:
    """The custom status, shortened to the host's limit by cutting the middle of its longest texts."""
    shown: Any = status
    for longest in _STEPS:
        if length(shown) <= LONGEST_STATUS:
            return dict(shown)
        shown = _with_texts(shown, longest)
    if length(shown) <= LONGEST_STATUS:
        return dict(shown)
    return {key: value for key, value in shown.items() if key in {"stage", "since"}}


def trouble_with(parameters: Parameters) -> str:
    """Why a pipeline's parameters, with a request's own, are too large or no arguments; empty when they are fine."""
    if any(isinstance(value, str) and "\0" in value for value in parameters.values()):
        return "have a text with a NUL character, which no program can be handed; remove it"
    found = length(parameters)
    if found <= LONGEST_PARAMETERS:
        return ""
    return (
        f"have {found} characters in all as JSON, and at most {LONGEST_PARAMETERS} are taken;"
        " put large values into the training's folder, and name them here"
    )


def _whole(text: str) -> str:
    """The text with its halves of characters as escapes: a message writes three characters in place of each."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _is_whole(text: str) -> bool:
    return _whole(text) == text


def _with_texts(value: Any, longest: int) -> Any:
    if isinstance(value, str):
        return value if len(value) <= longest else fitted(value, longest)
    if isinstance(value, Mapping):
        return {key: _with_texts(each, longest) for key, each in value.items()}
    return [_with_texts(each, longest) for each in value] if isinstance(value, list | tuple) else value
