from pathlib import Path

import pytest

from local_stack.supervisor import logs
from local_stack.supervisor.ports import NoFreePortError, choose
from local_stack.supervisor.service import Service, ServiceError, State, Status, in_start_order, with_dependencies
from local_stack.supervisor.table import duration, render


def a_service(name: str, *depends_on: str) -> Service:
    return Service(
        name=name, command=["true"], environment=dict, ready=lambda: None, url="", depends_on=frozenset(depends_on)
    )


def names(services: list[Service]) -> list[str]:
    return [service.name for service in services]


def test_a_service_comes_after_all_it_depends_on() -> None:
    ordered = names(
        in_start_order([a_service("c", "b"), a_service("b", "a"), a_service("a"), a_service("d", "a", "c")])
    )

    assert ordered == ["a", "b", "c", "d"]


def test_a_circle_is_named() -> None:
    with pytest.raises(ServiceError, match=r"circle: (a -> b -> a|b -> a -> b)"):
        in_start_order([a_service("a", "b"), a_service("b", "a")])


def test_a_missing_dependency_is_named() -> None:
    with pytest.raises(ServiceError, match="a depends on ghost"):
        in_start_order([a_service("a", "ghost")])


def test_wanted_services_bring_what_they_need_and_nothing_else() -> None:
    all_of_them = [a_service("a"), a_service("b", "a"), a_service("c", "b"), a_service("d")]

    assert names(with_dependencies(all_of_them, ["b"])) == ["a", "b"]
    with pytest.raises(ServiceError, match="no service x; there are a, b, c, d"):
        with_dependencies(all_of_them, ["x"])


def test_ports_are_kept_while_they_are_free() -> None:
    drawn = iter([21_000, 22_000])

    chosen = choose(["a", "b"], {"a": 20_001, "unused": 20_003}, free=lambda _port: True, draw=lambda: next(drawn))

    assert chosen == {"a": 20_001, "b": 21_000, "unused": 20_003}


def test_a_port_that_somebody_else_took_is_chosen_again() -> None:
    drawn = iter([20_002, 20_001, 20_005])

    chosen = choose(["a", "b"], {"a": 20_001, "b": 20_002}, free=lambda port: port != 20_001, draw=lambda: next(drawn))

    assert chosen == {"a": 20_005, "b": 20_002}


def test_no_free_port_is_an_error_that_names_the_service() -> None:
    with pytest.raises(NoFreePortError, match="for a between"):
        choose(["a"], {}, free=lambda _port: False, draw=lambda: 20_000)


def test_rotation_keeps_the_last_logs_in_order(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    for number in range(6):
        logs.rotate(log)
        log.write_text(f"start {number}\n")

    kept = {file.name: file.read_text() for file in tmp_path.iterdir()}

    assert kept == {
        "x.log": "start 5\n",
        "x.1.log": "start 4\n",
        "x.2.log": "start 3\n",
        "x.3.log": "start 2\n",
    }


def test_tail_gives_the_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text("".join(f"line {number}\n" for number in range(5_000)))

    assert logs.tail(log, 2) == ["line 4998", "line 4999"]
    assert logs.tail(tmp_path / "none.log", 2) == []


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.9, "0s"), (59, "59s"), (65, "1m 5s"), (7_300, "2h 1m"), (90_000, "1d 1h"), (-5, "0s")]
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_the_table_shows_uptime_only_of_what_is_ready() -> None:
    ready = Status(name="a", state=State.READY, url="http://x", log=Path("/l/a.log"), pid=7, since=100.0)
    died = Status(name="b", state=State.DIED, url="", log=Path("/l/b.log"), detail="exit status 1")

    head, first, second = render([ready, died], now=142.0).splitlines()

    assert head.split() == ["SERVICE", "STATE", "PID", "UPTIME", "URL", "LOG"]
    assert first.split() == ["a", "ready", "7", "42s", "http://x", "/l/a.log"]
    assert second.split() == ["b", "died", "(exit", "status", "1)", "-", "-", "-", "/l/b.log"]
