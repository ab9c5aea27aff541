"""Which pipelines an arrival concerns, or why none; the reason is a sentence for the data's owner. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.decisions.arrivals.blob_names import can_be_had, spelt
from shared.decisions.arrivals.watched_blobs import below_prefix, is_done_marker, matches_pattern
from shared.messages import Arrival

if TYPE_CHECKING:
    from shared.pipelines import Pipeline

# These report that an upload has begun; FlushWithClose or SftpCommit reports its end.
# https://learn.microsoft.com/azure/event-grid/event-schema-blob-storage
IN_PROGRESS = frozenset({"CreateFile", "SftpCreate"})


@dataclass(frozen=True, slots=True)
class Routing:
    """The pipelines that watch the blob; ``reason`` says why when there is none."""

    pipelines: tuple[Pipeline, ...]
    reason: str = ""


def route(arrival: Arrival, pipelines: Iterable[Pipeline], accounts: Mapping[str, str]) -> Routing:
    """Find the pipelines that an arrival concerns.

    ``accounts`` maps a site to the name of its storage account; a site that is not in it takes events of any account,
    because a needless look at the container does no harm and a missed one would. The hold-out concerns its pipeline:
    it is part of the snapshot, and a new one changes what a model is measured by. So does the done-marker, which may
    well be empty.
    """
    candidates = tuple(pipelines)
    if not candidates:
        return Routing(
            (), "outside every pipeline: no pipeline is deployed; add a file to pipelines/ and deploy the app"
        )
    for concerns, refusal in _steps(arrival, accounts):
        remaining = tuple(pipeline for pipeline in candidates if concerns(pipeline))
        if not remaining:
            return Routing((), refusal(candidates))
        candidates = remaining
    return Routing(candidates)


_Test = Callable[["Pipeline"], bool]
_Refusal = Callable[[Sequence["Pipeline"]], str]


def _steps(arrival: Arrival, accounts: Mapping[str, str]) -> tuple[tuple[_Test, _Refusal], ...]:
    """Each test, with the reason for the case that it rejects every pipeline that passed the tests before."""

    def account(pipeline: Pipeline) -> bool:
        return accounts.get(pipeline.data.site, arrival.account) == arrival.account

    def container(pipeline: Pipeline) -> bool:
        return pipeline.data.container == arrival.container

    def prefix(pipeline: Pipeline) -> bool:
        return _has_a_role(pipeline, arrival) or below_prefix(pipeline.data, arrival.blob)

    def pattern(pipeline: Pipeline) -> bool:
        return _has_a_role(pipeline, arrival) or matches_pattern(pipeline.data, arrival.blob)

    def carried(_: Pipeline) -> bool:
        return can_be_had(arrival.blob)

    def complete(pipeline: Pipeline) -> bool:
        # A done-marker counts by existing, so it may be empty.
        return is_done_marker(pipeline, arrival.blob) or (arrival.size != 0 and arrival.api not in IN_PROGRESS)

    return (
        (account, lambda near: _outside("storage account", arrival.account, _accounts(near, accounts))),
        (container, lambda near: _outside("container", arrival.container, {p.data.container for p in near})),
        (prefix, lambda near: _outside("prefix", _folder(arrival.blob), {p.data.prefix for p in near})),
        (pattern, lambda near: _unmatched(arrival.blob, near)),
        (carried, lambda _: f"{spelt(arrival.blob)} is left out: no listing or address can carry its name; rename it"),
        (complete, lambda _: _incomplete(arrival)),
    )


def _has_a_role(pipeline: Pipeline, arrival: Arrival) -> bool:
    return arrival.blob == pipeline.data.holdout or is_done_marker(pipeline, arrival.blob)


def _accounts(near: Iterable[Pipeline], accounts: Mapping[str, str]) -> set[str]:
    return {accounts[pipeline.data.site] for pipeline in near if pipeline.data.site in accounts}


def _outside(what: str, value: str, watched: set[str]) -> str:
    return f"outside every pipeline: {what} is {value or 'empty'}, pipelines watch {', '.join(sorted(watched))}"


def _folder(blob: str) -> str:
    return blob[: blob.rfind("/") + 1]


def _unmatched(blob: str, near: Iterable[Pipeline]) -> str:
    patterns = ", ".join(sorted({pipeline.data.prefix + pipeline.data.pattern for pipeline in near}))
    return f"outside every pipeline: {blob} does not match {patterns}"


def _incomplete(arrival: Arrival) -> str:
    if arrival.api in IN_PROGRESS:
        return f"{arrival.blob} is still being uploaded ({arrival.api}); another event reports when it is complete"
    return empty_blob(arrival.blob)


def empty_blob(blob: str) -> str:
    """Why a blob without a byte is not trained."""
    return f"{blob} is empty (0 bytes), so there is nothing to train on"
