import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from local_stack.functions_host.app_loader import AppLoadError, load_app
from local_stack.functions_host.binding_checks import FunctionLoadError

Script = Callable[..., str]
_NUMBERS = itertools.count()

HEADER = """
    import azure.durable_functions as df
    import azure.functions as func
    app = df.DFApp()
"""


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Script]:
    """Write an app file under a name of its own: modules stay imported for the life of the process."""
    path_before, modules_before = list(sys.path), set(sys.modules)

    def write(body: str, header: str = HEADER) -> str:
        name = f"loader_case_{next(_NUMBERS)}.py"
        (tmp_path / name).write_text(dedent(header) + dedent(body), encoding="utf-8")
        return name

    yield write
    sys.path[:] = path_before
    for name in set(sys.modules) - modules_before:
        if name.startswith("loader_case_"):
            del sys.modules[name]


def test_functions_come_with_their_triggers_and_the_root_goes_to_the_end_of_the_path(
    tmp_path: Path, script: Script
) -> None:
    name = script("""
        @app.route(route="runs/{id}", methods=["GET"])
        @app.durable_client_input(client_name="client")
        async def show(req: func.HttpRequest, client) -> func.HttpResponse: ...

        @app.timer_trigger(arg_name="timer", schedule="0 * * * * *")
        def tick(timer: func.TimerRequest, context: func.Context) -> None: ...

        @app.orchestration_trigger(context_name="context")
        def flow(context): yield

        @app.function_name("custom-name")
        @app.activity_trigger(input_name="command")
        def act(command: dict) -> int: ...
    """)

    functions = {function.name: function for function in load_app(tmp_path, script=name)}

    assert sys.path[-1] == str(tmp_path)
    assert {name: function.trigger.type for name, function in functions.items()} == {
        "show": "httpTrigger",
        "tick": "timerTrigger",
        "flow": "orchestrationTrigger",
        "custom-name": "activityTrigger",
    }
    assert functions["show"].trigger.attributes["route"] == "runs/{id}"
    assert functions["show"].is_async
    assert functions["show"].returns_explicitly
    assert functions["tick"].takes_context
    assert not functions["flow"].takes_context
    assert not functions["custom-name"].is_async


def test_a_disabled_function_is_loaded_and_marked(tmp_path: Path, script: Script) -> None:
    name = script("""
        @app.activity_trigger(input_name="command")
        def act(command: dict) -> int: ...
    """)

    (function,) = load_app(tmp_path, script=name, is_disabled=lambda name: name == "act")

    assert function.disabled


@pytest.mark.parametrize(
    ("script_name", "reason"),
    [
        ("missing.py", "no missing.py in the app root"),
        ("folder/main.py", "must be a bare file name"),
        ("main", "must be a bare file name"),
    ],
)
def test_the_script_must_be_a_file_in_the_root(tmp_path: Path, script_name: str, reason: str) -> None:
    with pytest.raises(AppLoadError, match=reason):
        load_app(tmp_path, script=script_name)


def test_a_module_of_the_same_name_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("app = None", encoding="utf-8")
    path_before = list(sys.path)

    with pytest.raises(AppLoadError, match="another module of that name"):
        load_app(tmp_path, script="json.py")

    sys.path[:] = path_before


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("x = 1", "Could not find a top level function app"),
        (HEADER + "    same = app\n", "More than one top level function app"),
        ("import azure.durable_functions as df\nbp = df.Blueprint()", "Could not find"),
    ],
)
def test_there_must_be_exactly_one_app(tmp_path: Path, script: Script, header: str, reason: str) -> None:
    with pytest.raises(AppLoadError, match=reason):
        load_app(tmp_path, script=script("", header=header))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (
            """
            @app.orchestration_trigger(context_name="ctx")
            def flow(ctx): yield
            """,
            "context",
        ),
        (
            """
            @app.activity_trigger(input_name="command")
            def act(command: dict, extra: int) -> int: ...
            """,
            r"declared in Python but not as bindings: \['extra'\]",
        ),
        (
            """
            @app.activity_trigger(input_name="command")
            def act() -> int: ...
            """,
            r"no parameters of the Python function: \['command'\]",
        ),
        (
            """
            @app.activity_trigger(input_name="command")
            def act(command: dict | None) -> int: ...
            """,
            "non-type annotation",
        ),
        (
            """
            @app.activity_trigger(input_name="command")
            def act(command: list[str]) -> int: ...
            """,
            "non-type annotation",
        ),
        (
            """
            @app.activity_trigger(input_name="command")
            def act(command: "NoSuchName") -> int: ...
            """,
            "cannot be resolved",
        ),
        (
            """
            @app.route(route="x")
            def show(req: dict) -> str: ...
            """,
            "does not match its annotation 'dict'",
        ),
        (
            """
            @app.route(route="x")
            def show(req: func.HttpRequest) -> dict: ...
            """,
            "return annotation 'dict'",
        ),
        (
            """
            @app.event_grid_trigger(arg_name="event")
            def seen(event: func.EventGridEvent, context: str) -> None: ...
            """,
            "'context' parameter is expected to be of type",
        ),
        (
            """
            @app.entity_trigger(context_name="context")
            def counter(context): ...
            """,
            "does not serve bindings of type entityTrigger",
        ),
        (
            """
            @app.timer_trigger(arg_name="timer", schedule="0 * * * * *")
            @app.queue_output(arg_name="out", queue_name="q", connection="C")
            def tick(timer: func.TimerRequest, out: func.Out[str]) -> None: ...
            """,
            "does not serve bindings of type queue",
        ),
    ],
)
def test_what_the_worker_refuses_is_refused_here_with_the_functions_name(
    tmp_path: Path, script: Script, body: str, reason: str
) -> None:
    with pytest.raises(FunctionLoadError, match=rf"(?s)cannot load the \w+ function: .*{reason}"):
        load_app(tmp_path, script=script(body))


def test_names_must_differ_in_more_than_case(tmp_path: Path, script: Script) -> None:
    name = script("""
        @app.activity_trigger(input_name="command")
        def act(command: dict) -> int: ...

        @app.activity_trigger(input_name="command")
        def ACT(command: dict) -> int: ...
    """)

    with pytest.raises(AppLoadError, match="'act' and 'ACT'"):
        load_app(tmp_path, script=name)


def test_the_sdk_refuses_equal_names(tmp_path: Path, script: Script) -> None:
    name = script("""
        @app.activity_trigger(input_name="command", activity="x")
        def act(command: dict) -> int: ...

        @app.activity_trigger(input_name="command", activity="y")
        def act(command: dict) -> int: ...
    """)

    with pytest.raises(AppLoadError, match="unique"):
        load_app(tmp_path, script=name)
