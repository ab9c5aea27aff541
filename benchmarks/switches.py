"""The longest time without a good answer during a switch by plan, against HAProxy's two commands given by hand.

Both switch between the same two healthy containers, with clients that score all the time and never retry.
"""

import socket
import statistics
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.report import Row
from tests.support.serving_host import ServingHost, running_serving_host, wait_for
from tests.support.serving_place import Place, hammering

REPETITIONS = 8


def run() -> list[Row]:
    """Switches by plan and by hand in turn, so that what else the machine does concerns both."""
    planned: list[float] = []
    by_hand: list[float] = []
    failed = 0
    with TemporaryDirectory(prefix="sw-") as folder, running_serving_host(Path(folder)) as host:
        place = Place(host, "switches")
        one, other = place.release(1, 100), place.release(2)
        place.fulfil(one, other)
        for _ in range(REPETITIONS):
            with hammering(place.url) as clients:
                wait_for(lambda seen=clients: len(seen.versions) > 50, "the first answers")  # type: ignore[misc]
                clients.longest_gap = 0.0
                place.fulfil(replace(one, weight=0), replace(other, weight=100))
            planned.append(clients.longest_gap)
            failed += len(clients.failed)
            with hammering(place.url) as clients:
                wait_for(lambda seen=clients: len(seen.versions) > 50, "the first answers")  # type: ignore[misc]
                clients.longest_gap = 0.0
                _switch_back(host, place)
            by_hand.append(clients.longest_gap)
            place.fulfil(replace(one, weight=100), replace(other, weight=0))
        place.apply()
    ours, baseline = statistics.median(planned), statistics.median(by_hand)
    return [
        Row(
            what="longest gap between answers in a switch by plan, against HAProxy's commands by hand",
            ours=f"{1000 * ours:.0f} ms",
            baseline=f"{1000 * baseline:.0f} ms",
            ratio=ours / baseline,
            goal=1.5,
            remark=f"{failed} failed requests in {REPETITIONS} switches, with and without keep-alive",
        )
    ]


def _switch_back(host: ServingHost, place: Place) -> None:
    backend = f"edgetrain-{place.pipeline}"
    _tell(host, f"set weight {backend}/blue 100; set server {backend}/blue state ready")
    wait_for(lambda: place.observe().releases[0].weight > 0, "the server is up")
    _tell(host, f"set server {backend}/green state maint")
    wait_for(lambda: place.version() == 1, "the switch")


def _tell(host: ServingHost, command: str) -> None:
    with closing(socket.socket(socket.AF_UNIX)) as connection:
        connection.connect(str(host.haproxy.admin_socket))
        connection.sendall(f"{command}\n".encode())
        while connection.recv(4096):
            pass
