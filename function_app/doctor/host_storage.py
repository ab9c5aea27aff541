"""The host's storage: the app may keep its ledger and its code there, it is not the hub's, and the watch keeps time."""

from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from function_app.composition import Services
from function_app.doctor.endpoints import host_storage, hub
from shared.doctor import Check, Kind, Seen, ok, skipped, wrong
from shared.errors import EdgetrainError, PermanentError

NOTE: Final = "doctor"
WATCHED: Final = "retention"
"""What the reconciler notes at least each hour."""
LATE: Final = timedelta(hours=3)
_PUBLIC: Final = ("core.windows.net", "core.usgovcloudapi.net", "core.chinacloudapi.cn")
_ROLES: Final = (
    "give the app's identity Storage Blob Data Owner, Storage Queue Data Contributor and Storage Table Data Contributor"
    " on the account, or set AzureWebJobsStorage to its connection string"
)


def _tables(services: Services, _: str) -> Seen:
    upkeep, now = services.ledger.upkeep, datetime.now(UTC).replace(microsecond=0)
    upkeep.note(NOTE, now)
    found = upkeep.last(NOTE)
    if found is None or abs(found.at - now) > timedelta(seconds=60):
        return wrong("a row that was written could not be read")
    return ok("a row was written and read")


def _blobs(services: Services, _: str) -> Seen:
    services.frozen_jobs.require_access()
    return ok("a blob was written, read and removed")


def _elsewhere(services: Services, _: str) -> Seen:
    ours = {_place(endpoint.url) for endpoint in host_storage(services, "")}
    for name in services.settings.sites:
        try:
            theirs = {_place(endpoint.url) for endpoint in hub(services, name)}
        except PermanentError:
            continue  # see hub.reached
        if shared := ours & theirs:
            return wrong(f"it is at {min(shared)}, as the storage of site {name} is")
    return ok("it is not at any site")


def _place(url: str) -> str:
    """What all accounts of one installation have in common; of the public clouds, the account itself."""
    parts = urlsplit(url)
    host, dot, rest = (parts.hostname or "").partition(".")
    _, _, domain = rest.partition(".")
    if not dot or not domain or host.replace(".", "").isdigit():  # an address: what is behind one port is one place
        return f"{parts.hostname}:{parts.port}"
    return f"{host}.{domain}" if domain.endswith(_PUBLIC) else domain


def _watch(services: Services, _: str) -> Seen:
    try:
        last = services.ledger.upkeep.last(WATCHED)
    except EdgetrainError:
        return skipped("the ledger cannot be read, see host_storage.tables")
    if last is None:
        return skipped("it has not looked yet; it does so within an hour of the first start")
    ago = datetime.now(UTC) - last.at
    if ago > LATE:
        return wrong(f"last on {last.at:%Y-%m-%d at %H:%M} UTC")
    return ok(f"last at {last.at:%H:%M} UTC")


CHECKS: Final = (
    Check(
        name="host_storage.tables",
        about=Kind.APP,
        wanted="the app may read and write tables of the host's storage",
        why="the ledger is there: what arrived, what runs, what serves",
        remedy=_ROLES,
        look=_tables,
    ),
    Check(
        name="host_storage.blobs",
        about=Kind.APP,
        wanted="the app may read, write and remove blobs of the host's storage",
        why="the code that each run was admitted with is kept there",
        remedy=_ROLES,
        look=_blobs,
    ),
    Check(
        name="host_storage.elsewhere",
        about=Kind.APP,
        wanted="the host's storage is in the cloud, and not on a hub",
        why="a Stack Hub's storage is too old for the Functions host, and what the cloud knows would be lost with it",
        remedy="set AzureWebJobsStorage__accountName to a storage account in the cloud",
        look=_elsewhere,
    ),
    Check(
        name="watch.alive",
        about=Kind.APP,
        wanted=f"the reconciler has been at work within the last {LATE / timedelta(hours=1):.0f} hours",
        why="it finds data that no event reported, and everything that somebody left undone",
        remedy="see that the function keep_watch is not disabled (AzureWebJobs.keep_watch.Disabled), and read its log",
        look=_watch,
        before_deployment=False,
    ),
)
