"""What ``make up``, ``make status`` and ``make demo`` print, as far as it needs no running stack."""

import io
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

import local_stack.__main__ as stack_commands
from local_stack import prepare
from local_stack.demo import __main__ as demo
from local_stack.demo import burst
from local_stack.demo import screen as screens
from local_stack.demo.expectations import StoryError, expect
from local_stack.demo.runs import Stages
from local_stack.demo.screen import Screen
from local_stack.demo.story import Story
from local_stack.files import write_object
from local_stack.stack_hub import engine
from local_stack.supervisor import lifecycle, record, refresh, stack, supervisor
from local_stack.supervisor.layout import Layout
from local_stack.supervisor.ports import choose
from local_stack.supervisor.service import Service, State, Status, in_start_order, with_dependencies
from local_stack.supervisor.serving import addresses
from local_stack.supervisor.supervisor import Supervisor
from local_stack.supervisor.table import render
from tests.support.golden import compare

NOW = 1_800_000_000.0


def a_status(name: str, state: State, **changes: Any) -> Status:
    given: dict[str, Any] = {
        "url": "http://127.0.0.1:20001",
        "log": Path(f".local/logs/{name}.log"),
        "since": NOW - 3_725,
    } | changes
    return Status(name=name, state=state, **given)


def a_service(name: str = "azure_ml", **changes: Any) -> Service:
    given: dict[str, Any] = {"command": ["x"], "ready": lambda: None, "url": "", "environment": dict} | changes
    return Service(name=name, **given)


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(Exception) as raised:  # noqa: PT011 - the text is what counts
        call()
    return str(raised.value)


class Keeper:
    """Starts nothing; ``ends`` is what it says of every start."""

    ends: tuple[dict[str, Any], ...] = ()

    def __init__(self, *, log: Path, marker: object, on_event: Callable[[dict[str, Any]], None]) -> None:
        del log, marker
        self.on_event = on_event

    def start(self, name: str, *, log: Path, **_: object) -> None:
        log.write_text("Traceback\nRuntimeError: no disk\n")
        for event in self.ends:
            self.on_event({"name": name} | event)


def test_the_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def hidden(text: str) -> str:
        return text.replace(str(tmp_path), "STATE").strip()

    def printed(*arguments: str) -> str:
        status = stack_commands.main([*arguments, "--state", str(tmp_path / "none")])
        out = capsys.readouterr()
        return hidden(f"{out.out}{out.err}\n(exit status {status})")

    def not_started(service: Service, *events: dict[str, Any]) -> str:
        monkeypatch.setattr(Keeper, "ends", events)
        monkeypatch.setattr(supervisor, "KeeperClient", Keeper)
        running = Supervisor([service], logs_folder=tmp_path, marker={}, on_change=lambda _: None)
        return hidden(refusal(lambda: running.start(service.name)))

    def changed(*statuses: Status) -> str:
        said: list[str] = []
        shown = object.__new__(stack.Stack)
        shown._supervisor, shown._progress, shown._began = None, said.append, {}
        clock = iter([0.0, 1.5])
        monkeypatch.setattr(stack, "time", SimpleNamespace(monotonic=lambda: next(clock)))
        for status in statuses:
            shown._on_change(status)
        return said[-1]

    services = [
        a_status("azurite", State.READY, pid=101),
        a_status("azure_ml", State.STARTING, pid=102),
        a_status("functions_host", State.DIED, detail="exit status 1", url=""),
    ]
    endpoints = {"serving": {"digits": "http://127.0.0.1:20010", "old": "http://127.0.0.1:20011"}}
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "file").touch()
    monkeypatch.setattr("local_stack.stack_hub.engine.shutil.which", lambda _: None)
    started = {"event": "started", "pid": 7, "started": 1}
    cases = {
        "status": render(services, NOW),
        "status: where pipelines are served": "\n".join(addresses(endpoints, ["digits"])),
        "status: nothing runs": printed("status"),
        "down: nothing runs": printed("down"),
        "logs: no such log": printed("logs", "azure_ml"),
        "a service is ready": changed(a_status("azure_ml", State.STARTING), a_status("azure_ml", State.READY)),
        "a service died": changed(services[2]),
        "a service is stopped": changed(a_status("azure_ml", State.STOPPED)),
        "a service dies at its start": not_started(a_service(), started, {"event": "exited", "code": 1}),
        "a service is killed at its start": not_started(a_service(), started, {"event": "exited", "code": -9}),
        "a program is missing": not_started(a_service(), {"event": "not_started", "reason": "no such program"}),
        "a service is not ready in time": not_started(
            a_service(ready=lambda: "nothing listens at port 20001", start_within=0.0), started
        ),
        "an unknown service": refusal(lambda: with_dependencies([a_service()], ["azure"])),
        "a dependency that is missing": refusal(lambda: in_start_order([a_service(depends_on=frozenset({"x"}))])),
        "no free port": refusal(lambda: choose(["azure_ml"], {}, free=lambda _: False, draw=lambda: 20_001)),
        "no container engine": refusal(lambda: engine.find(tmp_path)),
        "the folder's stack runs already": hidden(refusal(lambda: twice(Layout.at(tmp_path / "twice")))),
        "clean: no state folder": hidden(refusal(lambda: lifecycle.clean(Layout.at(tmp_path / "odd")))),
        "up again: the stack has stopped": hidden(asked_in_vain(tmp_path, monkeypatch)),
    }

    compare("local_stack", "What `make up`, `make status`, `make down` and `make clean` say.", cases)


def twice(layout: Layout) -> None:
    layout.create()
    with layout.held(), layout.held():
        pass


def asked_in_vain(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What is said when the stack that is to be refreshed has ended."""
    said: list[str] = []
    (folder / "supervisor.log").touch()
    monkeypatch.setattr(record, "read", lambda _: None)
    running: Any = SimpleNamespace(refreshed=0)
    refresh.asked(Layout.at(folder), running, lambda: None, folder / "supervisor.log", said.append)
    return said[-1]


def test_what_makes_the_stack_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def printed() -> str:
        monkeypatch.setattr("sys.argv", ["prepare", "--state", str(tmp_path), "--pipeline", "digits"])
        prepare.main()
        out = capsys.readouterr()
        return f"{out.out}{out.err}".replace(str(tmp_path), "STATE").strip()

    def failed(*lines: str) -> str:
        tool = object.__new__(prepare._Tool)
        tool._what, tool._lines = "the image of digits", list(lines)
        return tool.last_lines()

    monkeypatch.setattr(prepare, "prepare", lambda *_, **__: None)
    no_stack = printed()
    host = {"functions_host": {"url": "http://127.0.0.1:20002"}}
    write_object(tmp_path / "endpoints.json", host | {"serving": {"digits": "http://127.0.0.1:20010"}})
    cases = {
        "no stack": no_stack,
        "done": printed(),
        "a tool failed": failed("building", "error: the registry did not answer"),
        "a tool broke off": failed("Traceback", "KeyError: 'x'"),
    }

    compare("preparation", "What `make up` says when the stack runs and is made ready for pipelines.", cases)


@pytest.fixture
def out(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    written = io.StringIO()
    monkeypatch.setattr(screens, "Console", lambda **_: Console(file=written, width=100))
    monkeypatch.setattr(screens, "time", SimpleNamespace(monotonic=lambda: 1.0))
    monkeypatch.setattr(demo, "heed_interrupts", lambda: None)
    no_signals = SimpleNamespace(SIGTERM=15, signal=lambda *_: None, default_int_handler=None)
    monkeypatch.setattr(demo, "signal", no_signals)
    monkeypatch.setattr("sys.argv", ["demo"])
    monkeypatch.setattr("sys.stdout", written)
    return written


def test_the_demo(out: io.StringIO, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)  # where no demo has left anything
    logs = Path(".local/demo/logs")
    logs.mkdir(parents=True)
    lines = [f"2026-03-01 12:30:05,123 {level} app what happened" for level in ("INFO", "WARNING", "ERROR")]
    (logs / "functions_host.log").write_text("\n".join(lines), encoding="utf-8")

    def shown(show: Callable[[Screen], object]) -> str:
        out.truncate(out.seek(0))
        show(Screen(console=Console(file=out, width=100)))
        return out.getvalue().strip()

    def ended(error: BaseException) -> str:
        def tell(*_: object, **__: object) -> dict[str, Any]:
            raise error

        monkeypatch.setattr(demo, "_tell", tell)
        return shown(lambda _: demo.main())

    def a_step(screen: Screen) -> None:
        with screen.step("more data lands") as step:
            screen.note(step, Stages().see({"stage": "delivering", "progress": {"doing": ["registering", "building"]}}))
            step.note = "promoted: (the reason)"

    def a_failing_step(screen: Screen) -> None:
        with pytest.raises(StoryError), screen.step("more data lands"):
            expect(held=False, otherwise="2 of 90 requests failed")

    def in_a_table(screen: Screen) -> None:
        screen._live = SimpleNamespace()  # type: ignore[assignment]
        a_step(screen)
        a_failing_step(screen)
        screen.console.print(screen._table())

    def burst_of(runs: set[str], blobs: int, delivered: int) -> str:
        cast: Any = SimpleNamespace(app=SimpleNamespace(runs=lambda _: [{"run_id": run} for run in runs]))
        happened = {"matched": 10, "lost": 1, "delivered": delivered}
        found: Any = burst.Burst({"run_id": "r-1", "blobs": blobs}, [], [], deliveries=delivered)
        return refusal(lambda: burst._check(cast, found, set(), happened, files=10))

    cases = {
        "a step": shown(a_step),
        "a step that fails": shown(a_failing_step),
        "the table of a terminal": shown(in_a_table),
        "where to look": shown(lambda screen: Story(screen, {}, Path(".local/demo"), Path()).show_places()),
        "it failed": ended(StoryError("2 of 90 requests failed")),
        "it was stopped": ended(KeyboardInterrupt()),
        "a burst became two runs": burst_of({"r-1", "r-2"}, 10, 18),
        "a burst lacks files": burst_of({"r-1"}, 9, 18),
        "deliveries are missing": burst_of({"r-1"}, 10, 17),
    }

    compare("demo", "What `make demo` prints, off a terminal and on one.", cases)
