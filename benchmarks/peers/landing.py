"""How files land: paced, with their events, of which half come twice and a tenth never.

The second delivery of an event comes when Event Grid would try again (after 10 s, 30 s, a minute).
"""

import heapq
import queue
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from local_stack.app_client import Landed

TWICE: Final = 0.5
LOST: Final = 0.1
AGAIN_AFTER: Final = (10.0, 30.0, 60.0)
_AGAIN_SHARES: Final = (70, 25, 5)
_UPLOADS_AT_ONCE: Final = 8
_DELIVERIES_AT_ONCE: Final = 16
_SEED: Final = 7

Upload = Callable[[str, bytes], Landed]
Deliver = Callable[[Landed, str], None]


@dataclass(frozen=True, slots=True)
class Landing:
    """What landed. Times are those of the wall clock, as a process's start is told in them."""

    files: int
    deliveries: int
    last_file_at: float
    last_event_at: float


def deliveries(count: int) -> list[tuple[float, ...]]:
    """For each file, after how many seconds its event is delivered: never, once, or twice. The same at each call."""
    chance = random.Random(_SEED)
    order = list(range(count))
    chance.shuffle(order)
    lost, twice = round(count * LOST), round(count * TWICE)
    plan: list[tuple[float, ...]] = [(0.0,)] * count
    for number in order[:lost]:
        plan[number] = ()
    for number in order[lost : lost + twice]:
        plan[number] = (0.0, *chance.choices(AGAIN_AFTER, _AGAIN_SHARES))
    return plan


def land(
    files: Mapping[str, bytes],
    plan: Sequence[tuple[float, ...]],
    *,
    seconds: float,
    upload: Upload,
    deliver: Deliver | None,
) -> Landing:
    """Upload the files in equal steps over so many seconds, and deliver their events; returns after the last of both.

    ``deliver``: None where nobody takes events.
    """
    uploaded: queue.SimpleQueue[tuple[int, Landed]] = queue.SimpleQueue()
    sending: list[Future[None]] = []
    last_file_at = 0.0
    with ThreadPoolExecutor(_UPLOADS_AT_ONCE) as uploads, ThreadPoolExecutor(_DELIVERIES_AT_ONCE) as senders:
        putting = _paced(uploads, files, seconds, upload, uploaded)
        later: list[tuple[float, int, Landed]] = []
        landed = 0
        while landed < len(files) or later:
            next(putting, None)
            while not uploaded.empty():
                number, blob = uploaded.get()
                landed, last_file_at = landed + 1, time.time()
                for after in plan[number] if deliver else ():
                    heapq.heappush(later, (time.time() + after, number, blob))
            while deliver and later and later[0][0] <= time.time():
                _, number, blob = heapq.heappop(later)
                sending.append(senders.submit(deliver, blob, f"event-{number}"))
            time.sleep(0.002)
    for each in sending:
        each.result()
    return Landing(len(files), len(sending), last_file_at, time.time())


def _paced(
    pool: ThreadPoolExecutor,
    files: Mapping[str, bytes],
    seconds: float,
    upload: Upload,
    uploaded: "queue.SimpleQueue[tuple[int, Landed]]",
) -> Iterator[None]:
    """Begin an upload whenever it is time for one; what fails ends the next step."""
    began, running = time.time(), list[Future[None]]()

    def put(number: int, name: str, content: bytes) -> None:
        uploaded.put((number, upload(name, content)))

    for number, (name, content) in enumerate(files.items()):
        while time.time() < began + seconds * number / len(files):
            yield
        running.append(pool.submit(put, number, name, content))
    while running:
        for done in [each for each in running if each.done()]:
            done.result()
            running.remove(done)
        yield
