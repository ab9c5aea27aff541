"""A release that passes every check and fails under traffic: the counters show it, and clients do not."""

from dataclasses import replace

from tests.support.serving_place import Place, hammering


def test_clients_do_not_see_what_the_counters_show(place: Place) -> None:
    stable = place.release(1, 100)
    place.fulfil(stable)
    sample = {"request": {"data": [1]}, "response": {"version": 2, "sum": 1}}
    candidate = place.release(2, most=2.5, smoke=sample)  # the clients send 1 and 2
    with hammering(place.url) as clients:
        place.fulfil(stable, candidate)
        place.fulfil(replace(stable, weight=50), replace(candidate, weight=50))
        serving = place.until(
            lambda seen: any(each.run_id == candidate.run_id and each.errors > 50 for each in seen.releases), "errors"
        )
        place.fulfil(stable)

    assert clients.failed == []
    assert set(clients.versions) == {1}
    failing, sound = serving.release(candidate.run_id), serving.release(stable.run_id)
    assert failing is not None
    assert sound is not None
    assert failing.errors == failing.requests
    assert sound.errors == 0 < sound.requests
