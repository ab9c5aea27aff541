"""How the files of two runs differ, by their manifests. What was found is remembered: a manifest never changes.

A large manifest takes a while to read, and a hub that hangs takes longer. So one pair is looked up once at a time, by
threads of its own: whoever does not want to wait is told so, and finds the answer when asking again.
"""

from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Final

from function_app.api.delivery_models import FileChanges
from function_app.composition import Services
from shared.decisions.snapshots.differences import differences
from shared.errors import EdgetrainError
from shared.messages import Snapshot
from shared.values.texts import shortened

SECONDS: Final = 10.0
"""How long an answer of the API waits for the hub."""
NOT_IN_TIME: Final = "the hub did not answer in time"
_REMEMBERED: Final = 64

_Key = tuple[str, str, str]
_Found = tuple[FileChanges | None, str]
_known: OrderedDict[_Key, FileChanges] = OrderedDict()
_asked: dict[_Key, Future[_Found]] = {}
_lock = Lock()
_readers = ThreadPoolExecutor(max_workers=2, thread_name_prefix="manifests")


def file_changes(left: Snapshot | None, right: Snapshot | None, services: Services, *, patience: float) -> _Found:
    """What ``right`` has and ``left`` has not, and so on; or None, and why that is not known after so many seconds."""
    if left is None or right is None:
        return None, "the ledger does not know the files of a run"
    if left.site != right.site:
        return None, "the runs trained on data of two sites"
    key = (left.site, left.manifest, right.manifest)
    with _lock:
        known = _known.get(key)
        if known is not None:
            return known, ""
        reading = _asked.get(key)
        if reading is None:
            reading = _asked[key] = _readers.submit(_read, key, services)
    try:
        return reading.result(timeout=patience)
    except TimeoutError:
        return None, NOT_IN_TIME


def _read(key: _Key, services: Services) -> _Found:
    site, left, right = key
    changes, why = None, ""
    try:
        hub = services.hubs.hub(site)
        found = differences(hub.entries_of(left), hub.entries_of(right))
        changes = FileChanges(
            added=found.added,
            removed=found.removed,
            changed=found.changed,
            first_added=tuple(found.first_added),
            first_removed=tuple(found.first_removed),
            first_changed=tuple(found.first_changed),
        )
    except (EdgetrainError, ValueError) as error:
        why = f"a manifest cannot be read: {shortened(error)}"
    finally:
        with _lock:
            _asked.pop(key, None)
            if changes is not None:
                _known[key] = changes
            while len(_known) > _REMEMBERED:
                _known.popitem(last=False)
    return changes, why
