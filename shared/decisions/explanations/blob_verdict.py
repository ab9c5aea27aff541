"""Explain why a blob was trained or not: one verdict and one sentence for the data's owner. Pure.

The rules are tried in order; the first that applies gives the answer, and the last one always applies. A verdict of
None means that this version of the blob has no decision yet, or that there is no such blob.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from shared.decisions.arrivals.blob_names import spelt, unsafe_characters
from shared.decisions.arrivals.routing import empty_blob
from shared.decisions.arrivals.watched_blobs import below_prefix, is_done_marker, matches_pattern
from shared.decisions.explanations.evidence import Evidence, Explanation, JudgedEvent
from shared.decisions.explanations.status_text import (
    quarantine_status_text,
    run_status_text,
    utc_text,
    window_status_text,
)
from shared.decisions.reconciliation.troubles import blocking_text
from shared.decisions.snapshots.omissions import is_left_out
from shared.formats.manifest import BlobEntry
from shared.messages import Outcome, Verdict

if TYPE_CHECKING:
    from shared.pipelines import Pipeline

CYCLE_EVERY = timedelta(minutes=2)  # the reconciler
_OVERDUE = 5 * CYCLE_EVERY


_Rule = Callable[[Evidence], Explanation | None]


def explain(evidence: Evidence) -> Explanation:
    """The verdict on a blob, the sentence that says why, and the serving model when that is another run's."""
    answers = (rule(evidence) for rule in _RULES)
    found = next((answer for answer in answers if answer is not None), None) or _absent(evidence)
    return replace(found, sentence=f"{found.sentence}{_serving_text(evidence, found.run_id)}")


def _serving_text(e: Evidence, run_id: str | None) -> str:
    """What to add so that a model that was promoted once is not mistaken for the serving one."""
    if e.serving is None:
        return ""
    if e.serving_has_it and e.gone:
        return f"; the model of run {e.serving.run_id}, which serves now, was trained on it"
    about = e.listed_in.run if e.listed_in and e.listed_in.run.run_id == run_id else e.runs.get(run_id or "")
    replaced = about is not None and about.outcome is Outcome.PROMOTED and about.run_id != e.serving.run_id
    return f"; the model of run {e.serving.run_id} serves now" if replaced else ""


def _part_of_the_pipeline(e: Evidence) -> Explanation | None:
    """The hold-out and the done-marker are not data, but their arrivals have verdicts too."""
    if e.blob == e.pipeline.data.holdout:
        role = "the hold-out: every model is measured on it, and none is trained on it"
    elif is_done_marker(e.pipeline, e.blob):
        role = "the done-marker: it says that the data are complete, and is not trained on itself"
    else:
        return None
    said = f"{e.blob} is {role}"
    if e.event is None:
        known = "" if e.entry or e.trouble else ", and it does not exist"
        return Explanation(None, f"{said}{known}; no event reported it")
    verdict, about, run_id = _what_became(e, e.event)
    return Explanation(verdict, f"{said}; it {about}{e.gone}", run_id)


def _quarantined(e: Evidence) -> Explanation | None:
    """The blob's fingerprint is in quarantine."""
    if e.listed_in is None or _has_other_bytes(e.entry, e.listed_in.entry):
        return None
    run = e.listed_in.run
    for quarantine in e.quarantines:
        if quarantine.fingerprint == run.fingerprint:
            was_in = f"{e.blob} was in run {run.run_id}, {run_status_text(run)}"
            said = f"{was_in}; {quarantine_status_text(quarantine)}{e.gone}"
            return Explanation(Verdict.QUARANTINED, said, run.run_id)
    return None


def _by_snapshot(e: Evidence) -> Explanation | None:
    """A snapshot lists these bytes, and no event was judged since then."""
    if e.listed_in is None or _has_other_bytes(e.entry, e.listed_in.entry):
        return None
    run = e.listed_in.run
    if e.entry is not None and _changed(e.entry, e.listed_in.entry.etag) and not _has_event(e, e.entry):
        how = f"it was written again at {utc_text(e.entry.last_modified)} with the same content"
    elif e.event is None:
        how = "no event reported it; the listing of the container found it"
    elif _changed(e.entry, e.event.arrival.etag):
        how = "no event reported this version; the listing of the container found it"
    elif run.run_id == e.event.run_id and e.event.verdict is Verdict.TRAINED:
        how = f"its arrival at {utc_text(e.event.arrival.occurred_at)} started the run"
    elif run.requested_at >= e.event.arrival.received_at:
        how = f"the run was requested after the blob's arrival at {utc_text(e.event.arrival.occurred_at)}"
    else:
        return None
    return Explanation(
        Verdict.TRAINED, f"{e.blob} is in run {run.run_id}, {run_status_text(run)} ({how}){e.gone}", run.run_id
    )


def _left_out(e: Evidence) -> Explanation | None:
    """The run whose snapshot lists the blob left it out for a fault."""
    if e.listed_in is None or _changed(e.entry, e.listed_in.entry.etag) or not is_left_out(e.listed_in.run, e.blob):
        return None
    run = e.listed_in.run
    said = f"{e.blob} was left out of run {run.run_id}, because it has a fault that the run's log names"
    said += f"; replace the file, or change the training code, to have it trained{e.gone}"
    return Explanation(Verdict.REJECTED, said, run.run_id)


def _by_event(e: Evidence) -> Explanation | None:
    """An event reported this version."""
    if e.event is None or _changed(e.entry, e.event.arrival.etag):
        return None
    verdict, about, run_id = _what_became(e, e.event)
    return Explanation(verdict, f"{e.blob} {about}{e.gone}", run_id)


def _written_again(e: Evidence) -> Explanation | None:
    """Only an older version of the blob is known."""
    if e.entry is None or e.entry.size == 0 or _unwatched(e.pipeline, e.blob):
        return None
    if e.listed_in is not None:
        run = e.listed_in.run
        older, run_id = f"is in run {run.run_id}, {run_status_text(run)}", run.run_id
    elif e.event is not None:
        _, older, about = _what_became(e, e.event)
        run_id = about or ""
    else:
        return None
    written = f"{e.blob} was written again at {utc_text(e.entry.last_modified)}, and no event reported that"
    return Explanation(None, f"{written}; an older version {older}; {_soon(e)}", run_id or None)


def _outside(e: Evidence) -> Explanation | None:
    trouble = _unwatched(e.pipeline, e.blob)
    return Explanation(Verdict.OUTSIDE, trouble) if trouble else None


def _empty(e: Evidence) -> Explanation | None:
    if e.entry is None or e.entry.size > 0:
        return None
    return Explanation(Verdict.OUTSIDE, empty_blob(e.blob))


def _rejected_event(e: Evidence) -> Explanation | None:
    if not e.rejected_events:
        return None
    event = e.rejected_events[0]
    said = f"the event about {e.blob}, received at {utc_text(event.received_at)}, could not be read: {event.reason}"
    where = f"the blob exists, and {_soon(e)}" if e.entry else "the blob does not exist"
    return Explanation(Verdict.REJECTED, said if e.trouble else f"{said}; {where}")


def _there(e: Evidence) -> Explanation | None:
    if e.entry is None:
        return None
    if unsafe_characters(e.blob):
        said = f"{spelt(e.blob)} is left out: its name has characters that no listing can carry; rename it"
        return Explanation(Verdict.OUTSIDE, said)
    since = f"{e.blob} has existed since {utc_text(e.entry.last_modified)}"
    stray = (
        f"; when its event arrived, it was {e.outside_events[0].reason}"
        if e.outside_events
        else ", and no event reported it"
    )
    return Explanation(None, f"{since}{stray}; no snapshot contains it yet: {_soon(e)}")


def _not_asked(e: Evidence) -> Explanation | None:
    if not e.trouble:
        return None
    return Explanation(
        None, f"no event reported {e.blob}, and the storage could not say whether it exists: {e.trouble}"
    )


def _outside_event(e: Evidence) -> Explanation | None:
    return (
        Explanation(Verdict.OUTSIDE, e.outside_events[0].reason or f"{e.blob} is outside") if e.outside_events else None
    )


def _absent(e: Evidence) -> Explanation:
    data = e.pipeline.data
    where = f"container {data.container} of site {data.site}"
    said = f"there is no blob {e.blob} in {where}, and no event reported one; check the name, its case matters"
    stopped = blocking_text(e.troubles)
    return Explanation(None, f"{said}; the pipeline cannot train now: {stopped}" if stopped else said)


_RULES: tuple[_Rule, ...] = (
    _part_of_the_pipeline,
    _quarantined,
    _left_out,
    _by_snapshot,
    _by_event,
    _written_again,
    _outside,
    _empty,
    _rejected_event,
    _there,
    _outside_event,
    _not_asked,
)


def _what_became(e: Evidence, event: JudgedEvent) -> tuple[Verdict, str, str | None]:
    """The verdict on an event, its sentence, and its run."""
    if event.verdict is Verdict.JOINED:
        is_open = e.window is not None and e.window.window_id == event.window_id
        then = (
            window_status_text(e.window)
            if is_open and e.window
            else "which is closed; whether they are trained is being decided now"
        )
        return Verdict.JOINED, f"joined a group of files, {then}", None
    if event.verdict is Verdict.TRAINED:
        return Verdict.TRAINED, f"joined a group of files{_trained(e, event)}", event.run_id
    return event.verdict, f"was reported at {utc_text(event.arrival.occurred_at)}: {event.reason}", event.run_id


def _trained(e: Evidence, event: JudgedEvent) -> str:
    run = e.runs.get(event.run_id or "")
    if run is None:
        led_to = f"run {event.run_id}" if event.run_id else "a run"
        return f", which led to {led_to}: {event.reason}"
    missed = run.run_id in e.searched_runs and (e.listed_in is None or e.listed_in.run.run_id != run.run_id)
    if missed and e.blob != e.pipeline.data.holdout and not is_done_marker(e.pipeline, e.blob):
        return f", which led to run {run.run_id}, whose snapshot does not contain it ({_selection(e.pipeline)})"
    is_trained = "is being trained" if run.outcome is None else "was trained"
    return f" and {is_trained} in run {run.run_id}, {run_status_text(run)}"


def _selection(pipeline: Pipeline) -> str:
    select = pipeline.data.select
    if select == "all":
        return "it had been replaced or deleted before the container was listed"
    if select == "new":
        return "the pipeline trains only on files that are new since the last training"
    newest = "newest file" if select.latest == 1 else f"newest {select.latest} files"
    return f"the pipeline trains only on the {newest}"


def _soon(e: Evidence) -> str:
    """When a version that is in no snapshot will be listed."""
    stopped = blocking_text(e.troubles)
    if stopped:
        return f"the pipeline cannot train now: {stopped}"
    if e.window is not None:
        return f"it can be trained with the group of files that is arriving, {window_status_text(e.window)}"
    select = "" if e.pipeline.data.select == "all" else f"; {_selection(e.pipeline)}"
    lists = f"the app lists the container every {CYCLE_EVERY // timedelta(minutes=1)} minutes"
    if e.entry is not None and e.now - e.entry.last_modified > _OVERDUE:
        lists += " and should have found it; start a run yourself, and have the app's timer (keep_watch) looked at"
    return f"{lists}{select}"


def _unwatched(pipeline: Pipeline, blob: str) -> str:
    """Why the pipeline does not watch the blob; empty when it does."""
    data = pipeline.data
    if blob == data.holdout or is_done_marker(pipeline, blob):
        return ""
    if not below_prefix(data, blob):
        return f"{blob} is outside pipeline {pipeline.name}, which watches only names that start with {data.prefix}"
    if not matches_pattern(data, blob):
        return f"{blob} is outside pipeline {pipeline.name}, which watches {data.prefix}{data.pattern}"
    return ""


def _has_event(e: Evidence, entry: BlobEntry) -> bool:
    """Whether the newest event is of this version."""
    return e.event is not None and not _changed(entry, e.event.arrival.etag)


def _has_other_bytes(entry: BlobEntry | None, listed_in: BlobEntry) -> bool:
    """Whether the blob's content differs from what was trained; a deleted blob counts as the same."""
    return _changed(entry, listed_in.etag) and entry is not None and entry.content != listed_in.content


def _changed(entry: BlobEntry | None, etag: str) -> bool:
    """Whether the blob is another version now than the one with this ETag; an unknown one counts as the same."""
    return entry is not None and bool(etag) and entry.etag.strip('"') != etag.strip('"')
