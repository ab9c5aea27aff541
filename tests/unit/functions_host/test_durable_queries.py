from datetime import UTC, datetime

import pytest

from local_stack.functions_host.durable.interfaces import StatusQuery
from local_stack.functions_host.routes.durable_queries import BadQueryError, status_query


def test_nothing_given_restricts_nothing() -> None:
    assert status_query({}, None) == StatusQuery()


def test_everything_the_client_can_ask() -> None:
    query = status_query(
        {
            "createdTimeFrom": "2026-05-01T10:00:00.000000Z",
            "createdTimeTo": "2026-05-01T12:00:00 02:00",
            "runtimeStatus": "Completed,failed",
            "instanceIdPrefix": "run-",
            "top": "5",
            "showInput": "False",
        },
        "token",
    )

    assert query == StatusQuery(
        created_from=datetime(2026, 5, 1, 10, tzinfo=UTC),
        created_to=datetime(2026, 5, 1, 10, tzinfo=UTC),
        runtime_statuses=frozenset({"Completed", "Failed"}),
        id_prefix="run-",
        top=5,
        continuation="token",
        show_input=False,
    )


def test_a_naive_time_is_utc() -> None:
    assert status_query({"createdTimeTo": "2026-05-01T10:00:00"}, None).created_to == datetime(
        2026, 5, 1, 10, tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("name", "value"), [("createdTimeFrom", "soon"), ("runtimeStatus", "Done"), ("top", "-1"), ("top", "many")]
)
def test_values_that_mean_nothing_are_refused(name: str, value: str) -> None:
    with pytest.raises(BadQueryError):
        status_query({name: value}, None)
