"""A burst of 10,000 arrivals: what it starts, and arrivals per second against an empty function on the same server.

Each event is a request of its own to the webhook, as Event Grid sends them, 64 at a time. The load comes from this
process, so both sides share the machine with it.
"""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import psutil

from benchmarks.report import Row
from local_stack.app_client import AppClient, app_client, blob_created, deadline, land, land_all
from local_stack.demo_data import HOLDOUT_BLOB, breast_cancer_story
from local_stack.prepare import prepare
from local_stack.supervisor import Stack
from shared.clients.host_storage import StorageAccess
from shared.clients.ledger import Ledger
from tests.support.changed_app import ChangedApp
from tests.support.functions_host import running_host
from tests.support.host_store import HostStore

ROOT = Path(__file__).resolve().parent.parent
ARRIVALS = 10_000
CONNECTIONS = 64
WARM_UP = 200
PIPELINE = "burst"
_EMPTY_APP = '''
import atexit
import itertools
import os
import pathlib

import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)
calls = itertools.count()
atexit.register(lambda: pathlib.Path(os.environ["CALLS"]).write_text(str(next(calls))))


@app.generic_trigger(arg_name="event", type="EventGridTrigger")
async def on_data_arrival(event: str) -> None:
    """Nothing but to be counted."""
    next(calls)
'''
_EMPTY_HOST = '{"version": "2.0", "extensions": {"http": {"routePrefix": "api"}}}'


@dataclass(frozen=True, slots=True)
class Burst:
    """What one side did. ``megabytes``: peak resident memory of the host process, as measured ten times a second."""

    per_second: float
    megabytes: float


def run() -> list[Row]:
    """The empty function first, then the app on the whole stack, with files that are there and become one run."""
    with TemporaryDirectory(prefix="arrivals-") as folder:
        empty = _empty(Path(folder))
        ours, started = _ours(Path(folder))
    return [
        Row(
            what=f"arrivals per second in a burst of {ARRIVALS:,}, empty function against ours",
            ours=f"{ours.per_second:.0f} per second",
            baseline=f"{empty.per_second:.0f} per second",
            ratio=empty.per_second / ours.per_second,
            goal=2.0,
            remark="each has its row and its window when it is answered",
        ),
        Row(
            what=f"windows and runs started by {ARRIVALS:,} arrivals",
            ours=f"{started['settle_arrivals']} and {started['retrain_model']}",
            baseline="1 and 1",
            ratio=max(started["settle_arrivals"], started["retrain_model"]),
            goal=1.0,
        ),
        Row(
            what="peak memory of the host during the burst",
            ours=f"{ours.megabytes:.0f} MB",
            baseline=f"{empty.megabytes:.0f} MB",
            ratio=ours.megabytes / empty.megabytes,
            remark="the local host runs the app in its own process",
        ),
    ]


def _empty(folder: Path) -> Burst:
    app = folder / "empty"
    app.mkdir()
    (app / "function_app.py").write_text(_EMPTY_APP, encoding="utf-8")
    (app / "host.json").write_text(_EMPTY_HOST, encoding="utf-8")
    calls = folder / "calls"
    with running_host(folder / "empty-host", "--enforce-keys", app=app, settings={"CALLS": str(calls)}) as host:
        key = host.endpoints["system_keys"]["eventgrid_extension"]
        events = [_made_up(number) for number in range(ARRIVALS + WARM_UP)]
        burst = _burst(host.url, key, events, host.process.pid)
    called = int(calls.read_text(encoding="ascii"))
    assert called == len(events), f"the empty function ran {called} times for {len(events)} events"
    return burst


def _ours(folder: Path) -> tuple[Burst, Counter[str]]:
    cache, state = ROOT / ".local" / "cache", folder / "stack"
    with Stack.start(state, cache=cache) as stack:
        prepare(stack.endpoints, ["breast-cancer"], cache=cache, progress=lambda _: None)
        changed = ChangedApp.copied_to(folder / "app")
        changed.add_pipeline(
            PIPELINE,
            data={"container": PIPELINE},
            settle={"quiet_seconds": 10, "longest_wait_seconds": 600},
            judge={"floor": -1.0},  # out of reach: a real training, and no roll-out
        )
        with changed.deployed(stack), app_client(stack.endpoints) as app:
            land(stack.endpoints, PIPELINE, HOLDOUT_BLOB, breast_cancer_story().holdout)
            print(f"  uploading {ARRIVALS:,} blobs ...", flush=True)
            landed = list(land_all(stack.endpoints, PIPELINE, _files(ARRIVALS)))
            outside = [_made_up(number) for number in range(WARM_UP)]
            events = outside + [blob_created(stack.endpoints, blob) for blob in landed]
            host, store = stack.endpoints["functions_host"], HostStore(state)
            pid = next(each.pid for each in stack.status() if each.name == "functions_host")
            burst = _burst(host["url"], host["event_grid_key"], events, pid)
            _wait_for_the_run(app)
            _check_rows(stack, {blob.name for blob in landed})
            return burst, Counter({name: len(store.instances(name)) for name in ("settle_arrivals", "retrain_model")})


def _files(count: int) -> Mapping[str, bytes]:
    header, *rows = breast_cancer_story().first["landing/part-1.csv"].decode().splitlines()
    return {f"landing/{number:05}.csv": f"{header}\n{rows[number % len(rows)]}\n".encode() for number in range(count)}


def _made_up(number: int) -> dict[str, Any]:
    return {
        "id": f"made-up-{number}",
        "topic": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/other",
        "subject": f"/blobServices/default/containers/elsewhere/blobs/{number}.csv",
        "eventType": "Microsoft.Storage.BlobCreated",
        "eventTime": "2026-05-01T10:00:00Z",
        "data": {"api": "PutBlob", "eTag": f"0x{number:X}", "contentLength": 100},
        "dataVersion": "",
        "metadataVersion": "1",
    }


def _burst(url: str, key: str, events: Sequence[dict[str, Any]], pid: int | None) -> Burst:
    asyncio.run(_deliver(url, key, events[:WARM_UP]))
    with _watched(pid) as peak:
        began = time.perf_counter()
        asyncio.run(_deliver(url, key, events[WARM_UP:]))
        seconds = time.perf_counter() - began
    assert peak[0] > 0, "the memory of the host was not measured"
    return Burst((len(events) - WARM_UP) / seconds, peak[0] / 2**20)


async def _deliver(url: str, key: str, events: Sequence[dict[str, Any]]) -> None:
    waiting = iter(events)
    address = f"{url}/runtime/webhooks/eventgrid"
    headers = {"aeg-event-type": "Notification", "aeg-delivery-count": "0"}

    async def worker(session: aiohttp.ClientSession) -> None:
        for event in waiting:
            parameters = {"functionName": "on_data_arrival", "code": key}
            async with session.post(address, params=parameters, headers=headers, json=[event]) as answer:
                assert answer.status == 202, await answer.text()

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS)) as session:
        await asyncio.gather(*(worker(session) for _ in range(CONNECTIONS)))


@contextmanager
def _watched(pid: int | None) -> Iterator[list[float]]:
    """The largest resident memory of a process, in bytes, while the block runs."""
    peak, done = [0.0], threading.Event()
    process = psutil.Process(pid)

    def measure() -> None:
        while True:
            peak[0] = max(peak[0], float(process.memory_info().rss))
            if done.wait(0.1):
                return

    thread = threading.Thread(target=measure)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


def _check_rows(stack: Stack, names: set[str]) -> None:
    """Every event has its row: what was answered without one would be quick for nothing."""
    ledger = Ledger(StorageAccess.of(stack.endpoints["cloud_storage"]["connection_string"]), "edgetrain")
    try:
        rows: set[str] = set()
        after: str | None = None
        while True:
            page = ledger.arrivals.list_arrivals(PIPELINE, limit=500, after=after)
            rows |= {each.arrival.blob for each in page.items}
            if (after := page.next) is None:
                break
    finally:
        ledger.close()
    assert rows >= names, f"{len(names - rows)} of {len(names)} arrivals have no row"


def _wait_for_the_run(app: AppClient) -> None:
    app.wait_for_outcome(app.wait_for_new_run(PIPELINE, set(), seconds=300), seconds=600)
    for _ in deadline(60, "a verdict on the last arrivals"):
        answer = app.get(f"/api/pipelines/{PIPELINE}/arrivals", limit="1").json()
        if answer["arrivals"][0]["verdict"] != "joined":
            return
