"""The calendar of a pipeline's data, as the API answers it."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.errors import Code, PermanentError
from shared.messages import Actor, ActorKind, Backfill, ObservedChange, Rest, Retirement, Watch
from shared.pipelines import Pipelines
from tests.support.api import MemoryServices, a_request, response_to, text_of
from tests.support.arrivals import a_pipeline, an_arrival
from tests.support.ledger_arrivals import join

PIPELINE = "breast-cancer"
DAY = timedelta(days=1)
NOON = datetime.combine(datetime.now(UTC).date(), time(12), tzinfo=UTC)
NOTHING = {"files": 0, "expected": None, "missing": False, "awaited": False}
MISSED = {"files": 0, "expected": 1, "missing": True, "awaited": False}
AWAITED = {"files": 0, "expected": 1, "missing": False, "awaited": True}


@pytest.fixture
def services(tmp_path: Path) -> MemoryServices:
    """One file a day is expected by midnight, since nine days ago; one came five days ago."""
    values = a_pipeline(PIPELINE).model_dump(mode="json", exclude_none=True)
    values["expect"] = {"every": "day", "grace_minutes": 0}
    (tmp_path / f"{PIPELINE}.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    made = MemoryServices(tmp_path)
    came = NOON - 5 * DAY
    join(made.ledger.arrivals, PIPELINE, an_arrival(occurred_at=came, received_at=came))
    (window,) = made.ledger.arrivals.unfinished_windows()
    made.ledger.arrivals.close_window(window.window)
    watches(made)
    return made


def watches(services: MemoryServices, *rests: Rest) -> None:
    since = NOON - 9.5 * DAY
    done = Backfill(done=True)
    services.ledger.expectations.keep(PIPELINE, Watch(since=since, next_at=since, backfill=done, rests=rests))


def is_retired(services: MemoryServices, ago: timedelta) -> None:
    by = Actor(kind=ActorKind.PERSON, name="Jan")
    services.ledger.actions.retire(Retirement(pipeline=PIPELINE, by=by, reason="r", at=NOON - ago))


def answered(services: MemoryServices, weeks: str = "53") -> dict[str, Any]:
    answer = response_to("get_calendar", a_request(path=PIPELINE, weeks=weeks), services)
    assert answer.status_code == 200
    return text_of(answer)


def days(services: MemoryServices) -> dict[int, Any]:
    """So many days ago -> what is said of the day."""
    shown = answered(services)["days"]
    today = date.fromisoformat(shown[-1]["day"])
    return {
        (today - date.fromisoformat(each["day"])).days: {name: each[name] for name in each if name != "day"}
        for each in shown
    }


def test_each_day_says_what_came_and_what_did_not(services: MemoryServices) -> None:
    found = answered(services)

    assert {name: found[name] for name in found if name != "days"} == {
        "pipeline": PIPELINE,
        "zone": "UTC",
        "basis": "file",
        "complete": True,
    }
    shown = days(services)
    assert list(shown) == list(range(370, -1, -1))
    assert shown[0] == AWAITED
    assert shown[5] == {"files": 1, "expected": 1, "missing": False, "awaited": False}
    assert [ago for ago, day in shown.items() if day == MISSED] == [9, 8, 7, 6, 4, 3, 2, 1]
    assert all(day == NOTHING for ago, day in shown.items() if ago > 9)


def test_so_many_weeks_are_shown_as_are_asked_for(services: MemoryServices) -> None:
    assert len(answered(services, weeks="2")["days"]) == 14
    for weeks in ("0", "54", "many"):
        with pytest.raises(PermanentError, match="weeks"):
            answered(services, weeks=weeks)


def test_what_a_listing_has_shown_counts_before_it_is_counted(services: MemoryServices) -> None:
    services.ledger.arrivals.open_window(PIPELINE, at=datetime.now(UTC), change=ObservedChange(files=3, size=1))
    assert days(services)[0] == {"files": 1, "expected": 1, "missing": False, "awaited": False}


def test_what_is_still_being_counted_is_said(services: MemoryServices) -> None:
    services.ledger.expectations.forget(PIPELINE)
    assert answered(services)["complete"] is False


def test_nothing_is_missing_from_the_retirement_on(services: MemoryServices) -> None:
    is_retired(services, 3 * DAY)
    shown = days(services)
    assert [ago for ago, day in shown.items() if day == MISSED] == [9, 8, 7, 6, 4]
    assert all(shown[ago] == NOTHING for ago in range(4))
    assert text_of(response_to("get_pipeline", a_request(path=PIPELINE), services))["expected"] is None


@pytest.mark.parametrize("noted", [True, False])
def test_after_a_retirement_everything_begins_anew(services: MemoryServices, noted: bool) -> None:
    """``noted``: the reconciler has seen that it is over."""
    watches(services, Rest(since=NOON - 4 * DAY, until=NOON - 2 * DAY if noted else None))
    missed = [ago for ago, day in days(services).items() if day == MISSED]
    assert missed == [9, 8, 7, 6] + ([1] if noted else [])
    expected = text_of(response_to("get_pipeline", a_request(path=PIPELINE), services))["expected"]
    since = datetime.combine(NOON.date(), time(), tzinfo=UTC)
    assert expected["overdue_since"] == (since.isoformat().replace("+00:00", "Z") if noted else None)


def broken(folder: Path) -> None:
    (folder / f"{PIPELINE}.yaml").write_text("name: [", encoding="utf-8")


def removed(folder: Path) -> None:
    (folder / f"{PIPELINE}.yaml").unlink()


@pytest.mark.parametrize("done", [broken, removed])
def test_what_came_stays_readable_without_a_good_file(
    services: MemoryServices, tmp_path: Path, done: Callable[[Path], None]
) -> None:
    done(tmp_path)
    services.__dict__["pipelines"] = Pipelines(tmp_path)
    assert answered(services)["basis"] == "off"
    assert [ago for ago, day in days(services).items() if day != NOTHING] == [5]


def test_a_pipeline_that_nobody_knows_has_none(services: MemoryServices) -> None:
    with pytest.raises(PermanentError) as refused:
        response_to("get_calendar", a_request(path="unknown"), services)
    assert refused.value.code is Code.UNKNOWN_PIPELINE
