"""Whether a subscription's filter may let through what is written for a pipeline, by what is known of its events.

Of a subject its beginning and end are known, of the type everything. A filter counts as shut only where no such event
could pass; what it says of other fields is not judged.
https://learn.microsoft.com/azure/event-grid/event-filtering
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.clients.event_subscriptions import AdvancedFilter, Filter
from shared.pipelines import Pipeline

BLOB_CREATED: Final = "Microsoft.Storage.BlobCreated"
_TYPE_KEYS: Final = {"eventtype", "type"}
_EVERY_TYPE: Final = "all"  # as older versions of the API have it


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a text: how it begins, and how it ends; the same for both where it is known as a whole."""

    begins: str
    ends: str

    @property
    def lowered(self) -> "Known":
        """In lower case."""
        return Known(self.begins.lower(), self.ends.lower())


def subjects_of(pipeline: Pipeline) -> Known:
    """What is known of the subjects of all blobs of the pipeline."""
    data = pipeline.data
    begins = f"/blobServices/default/containers/{data.container}/blobs/{data.prefix}"
    return Known(begins, re.split(r"[*?\[\]]", data.pattern)[-1])


def takes_blobs(rule: Filter) -> bool:
    """Whether the type of event that the app wants may pass."""
    types = {each.lower() for each in rule.included_event_types or ()}
    asked = [each for each in rule.advanced_filters or () if each.key.lower() in _TYPE_KEYS]
    known = Known(BLOB_CREATED, BLOB_CREATED)
    return (not types or bool(types & {BLOB_CREATED.lower(), _EVERY_TYPE})) and all(
        _may_hold(each, known) for each in asked
    )


def lets_through(rule: Filter, pipeline: Pipeline) -> bool:
    """Whether the subject of some blob of the pipeline may pass."""
    known, begin, end = subjects_of(pipeline), rule.subject_begins_with or "", rule.subject_ends_with or ""
    if not rule.is_subject_case_sensitive:
        known, begin, end = known.lowered, begin.lower(), end.lower()
    asked = [each for each in rule.advanced_filters or () if each.key.lower() == "subject"]
    return _begins(known, begin) and _ends(known, end) and all(_may_hold(each, subjects_of(pipeline)) for each in asked)


def not_judged(rule: Filter) -> list[str]:
    """The fields that it asks for and that are not judged."""
    return sorted({each.key for each in rule.advanced_filters or ()} - {"subject", "type", "eventType"})


def _may_hold(rule: AdvancedFilter, known: Known) -> bool:
    """Whether the condition may hold; case does not count in advanced filters. Unknown operators may hold."""
    holds = _HOLDS.get(rule.operator_type.lower())
    return holds is None or holds(known.lowered, [_text(each) for each in rule.values or ()])


def _begins(known: Known, wanted: str) -> bool:
    return known.begins.startswith(wanted) or wanted.startswith(known.begins)


def _ends(known: Known, wanted: str) -> bool:
    return known.ends.endswith(wanted) or wanted.endswith(known.ends)


def _text(value: Any) -> str:
    return str(value).lower()


_HOLDS: Final[Mapping[str, Callable[[Known, list[str]], bool]]] = {
    "stringbeginswith": lambda known, values: any(_begins(known, each) for each in values),
    "stringendswith": lambda known, values: any(_ends(known, each) for each in values),
    "stringin": lambda known, values: any(
        each.startswith(known.begins) and each.endswith(known.ends) for each in values
    ),
    "stringnotin": lambda known, values: known.begins != known.ends or known.begins not in values,
    "stringnotbeginswith": lambda known, values: not any(known.begins.startswith(each) for each in values),
    "stringnotendswith": lambda known, values: not any(known.ends.endswith(each) for each in values),
    "stringnotcontains": lambda known, values: not any(each in known.begins or each in known.ends for each in values),
    "isnullorundefined": lambda _known, _values: False,
}
