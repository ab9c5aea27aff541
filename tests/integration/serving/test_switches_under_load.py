"""Clients that score all the time, with and without keep-alive, through switches, canaries and roll-backs."""

from dataclasses import replace

import pytest

from tests.support.serving_place import Clients, Place, exactly, hammering

# Plans that follow one another, as (weight of the old one, weight of the new one); the release without traffic goes.
TO_THE_NEW = ((100, 0), (75, 25), (0, 100))
BACK = ((100, 0), (90, 10), (100, 0))


def go_through(place: Place, rounds: int) -> tuple[Clients, int]:
    """Every third round is rolled back; what the clients saw, and the version that serves at the end."""
    live, version = place.release(1, 100, seconds=0.005), 1
    place.fulfil(live)
    with hammering(place.url) as clients:
        for number in range(2, rounds + 2):
            candidate = place.release(number, seconds=0.005)
            back = number % 3 == 0
            for old, new in BACK if back else TO_THE_NEW:
                place.fulfil(replace(live, weight=old), replace(candidate, weight=new))
            if not back:
                live, version = candidate, number
            place.fulfil(replace(live, weight=100))
    return clients, version


def test_no_request_fails(place: Place) -> None:
    clients, version = go_through(place, 3)
    assert clients.failed == []
    assert clients.versions[-10:] == [version] * 10
    assert set(clients.versions) == {1, 2, 3, 4}


@pytest.mark.on_demand
def test_no_request_fails_in_forty_switches(place: Place) -> None:
    """All traffic to the other release, forty times; before every eighth, the one that is out is replaced."""
    live, out, newest = place.release(1, 100, seconds=0.005), place.release(2, seconds=0.005), 2
    place.fulfil(live, out)
    with hammering(place.url) as clients:
        for number in range(1, 41):
            if number % 8 == 0:
                newest += 1
                out = place.release(newest, seconds=0.005)
                place.fulfil(live, out)
            live, out = replace(out, weight=100), replace(live, weight=0)
            place.fulfil(live, out)
    assert clients.failed == []
    assert clients.versions[-10:] == [int(live.version)] * 10
    assert len(place.slot.switches) == 41
    assert exactly(place, live, out)
