"""Calls the app's functions: values in through the SDK's converters, values and errors out in the worker's forms."""

import asyncio
import logging
import threading
import traceback
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, thread
from datetime import timedelta
from functools import partial
from typing import Any, Final

import azure.functions as func
from azure.functions.meta import Datum

from local_stack.functions_host import functions as kinds
from local_stack.functions_host.converters import converter_of
from local_stack.functions_host.durable.interfaces import ActivityFailedError, OrchestratorFailedError
from local_stack.functions_host.functions import HostedFunction

log = logging.getLogger("functions_host.invoker")

_INVOCATION: Final = threading.local()
# Frames between the host and the function; they say nothing about the app.
_OUR_FILES: Final = frozenset({__file__, thread.__file__})


class FunctionFailedError(Exception):
    """A function raised, timed out or gave a value nothing takes. The text is ``"<ExceptionType>: <text>"``."""

    def __init__(self, message: str, stack: str = "") -> None:
        super().__init__(message)
        self.stack = stack


class InvocationContext(func.Context):  # type: ignore[misc]  # the SDK ships no types
    """What a function sees when it asks for ``context``."""

    def __init__(self, function: HostedFunction) -> None:
        self._function = function
        self._invocation_id = str(uuid.uuid4())

    @property
    def invocation_id(self) -> str:
        """Id of this one call; the durable client sends it along."""
        return self._invocation_id

    @property
    def thread_local_storage(self) -> Any:
        """Storage in which the SDK's logging helpers look for the invocation id."""
        return _INVOCATION

    @property
    def function_name(self) -> str:
        """Name of the running function."""
        return self._function.name

    @property
    def function_directory(self) -> str:
        """Folder of the file that defines the function."""
        return self._function.directory

    @property
    def trace_context(self) -> None:
        """No trace context is kept here."""

    @property
    def retry_context(self) -> None:
        """Retry policies of the host are not served, so there is never a retry to speak of."""


class AppInvoker:
    """The host's door to the app; also the engine's :class:`~...durable.interfaces.Invoker`.

    ``client_binding`` gives the JSON text for ``durableClient`` parameters; ``timeout`` is the host's
    ``functionTimeout`` (``None``: unbounded); ``threads`` is ``PYTHON_THREADPOOL_THREAD_COUNT``. With ``one_pool``,
    orchestrators wait for one of these threads too, as in the Python worker.
    """

    def __init__(
        self,
        functions: Sequence[HostedFunction],
        *,
        client_binding: Callable[[], str],
        timeout: timedelta | None = None,
        threads: int | None = None,
        one_pool: bool = False,
    ) -> None:
        self._functions = {function.key: function for function in functions}
        self._client_binding = client_binding
        self._timeout = timeout
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="function")
        self._one_pool = one_pool
        self._running = 0

    @property
    def functions(self) -> tuple[HostedFunction, ...]:
        """All functions, disabled ones included, in the order the app declares them."""
        return tuple(self._functions.values())

    @property
    def running(self) -> int:
        """Calls to functions that have not ended (orchestrator turns not counted)."""
        return self._running

    def find(self, name: str, trigger_type: str | None = None) -> HostedFunction | None:
        """The function of this name, in any case, if it is enabled and has this trigger."""
        function = self._functions.get(name.lower())
        if function is None or function.disabled or trigger_type not in (None, function.trigger.type):
            return None
        return function

    def orchestrator_names(self) -> frozenset[str]:
        """Names of the enabled orchestrators, in lower case."""
        return self._names(kinds.ORCHESTRATION_TRIGGER)

    def activity_names(self) -> frozenset[str]:
        """Names of the enabled activities, in lower case."""
        return self._names(kinds.ACTIVITY_TRIGGER)

    def run_orchestrator(self, name: str, request: str) -> str:
        """Replay an orchestrator once, in the calling thread or the shared pool. Raises ``OrchestratorFailedError``."""
        if self._one_pool:
            return self._pool.submit(self._replay, name, request).result()
        return self._replay(name, request)

    def _replay(self, name: str, request: str) -> str:
        function = self._named(name)
        try:
            reply = function.callable(**self._arguments(function, Datum(request, "json"), {}))
        except Exception as error:
            raise OrchestratorFailedError(describe(error)) from error
        return str(reply)

    async def run_activity(self, name: str, input_json: str, instance_id: str) -> str:
        """Run an activity on the JSON text of its input. Raises ``ActivityFailedError``."""
        function = self._named(name)
        try:
            value = await self._call(function, Datum(input_json, "string"), {})
            converter = func.get_binding_registry().get(kinds.ACTIVITY_TRIGGER)
            return str(converter.encode(value, expected_type=None).value)
        except FunctionFailedError as error:
            log.warning("activity failed name=%s instance=%s error=%s", name, instance_id, error_type(error))
            raise ActivityFailedError(str(error), error.stack) from error
        except ValueError as error:  # the converter's word for "not JSON"
            raise ActivityFailedError(describe(error)) from error

    async def run_trigger(
        self, function: HostedFunction, data: Datum, metadata: Mapping[str, Datum] | None = None
    ) -> Datum | None:
        """Run a function for an event that came from outside; gives the encoded ``$return`` value if it has one.

        Raises :class:`FunctionFailedError`, also when the function returns a value nothing takes, or ``None`` for a
        ``$return`` binding: the worker encodes that all the same, and cannot.
        """
        value = await self._call(function, data, metadata or {})
        if not function.returns_explicitly:
            if value is None:
                return None
            text = f"function {function.name!r} without a $return binding returned a non-None value"
            raise FunctionFailedError(f"RuntimeError: {text}")
        binding = next(item for item in function.bindings if item.name == kinds.RETURN_BINDING)
        converter = converter_of(binding)
        try:
            return converter.encode(value, expected_type=None)
        except NotImplementedError as error:
            text = f"unable to encode outgoing TypedData: unsupported type {type(value).__name__!r}"
            raise FunctionFailedError(f"TypeError: {text}") from error

    def processes(self) -> list[dict[str, int]]:
        """Worker processes besides this one, each with its ``pid`` and the number of ``calls`` it was given."""
        return []

    async def start(self) -> None:
        """Get ready to be called. Here, in one process, nothing is to be done."""

    async def stop(self) -> None:
        """The end: as :meth:`close`, and nothing of it is left running."""
        self.close()

    def close(self) -> None:
        """Take no more calls; threads still inside a function are left alone."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _names(self, trigger_type: str) -> frozenset[str]:
        return frozenset(
            function.key
            for function in self._functions.values()
            if function.trigger.type == trigger_type and not function.disabled
        )

    def _named(self, name: str) -> HostedFunction:
        return self._functions[name.lower()]

    async def _call(self, function: HostedFunction, data: Datum, metadata: Mapping[str, Datum]) -> Any:
        self._running += 1
        deadline = asyncio.timeout(self._timeout.total_seconds() if self._timeout else None)
        try:
            async with deadline:
                return await self._start(function, self._arguments(function, data, metadata))
        except Exception as error:  # whatever the app raises becomes the worker's one form of it
            if isinstance(error, TimeoutError) and deadline.expired():
                raise self._timed_out(function) from error
            # The text may hold data, so it is shown only to who asks for it.
            log.debug("function raised name=%s error=%s", function.name, describe(error))
            raise FunctionFailedError(describe(error), stack_of(error)) from error
        finally:
            self._running -= 1

    async def _start(self, function: HostedFunction, arguments: dict[str, Any]) -> Any:
        if function.is_async:
            return await function.callable(**arguments)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, partial(function.callable, **arguments))

    def _timed_out(self, function: HostedFunction) -> FunctionFailedError:
        left = "" if function.is_async else "; its thread cannot be stopped and goes on, the real host ends the worker"
        log.error("FUNCTION TIMED OUT name=%s limit=%s%s", function.name, self._timeout, left)
        return FunctionFailedError(
            f"FunctionTimeoutException: Timeout value of {self._timeout} was exceeded by function: {function.name}"
        )

    def _arguments(self, function: HostedFunction, data: Datum, metadata: Mapping[str, Datum]) -> dict[str, Any]:
        arguments: dict[str, Any] = {}
        for binding in function.bindings:
            if binding.name == function.trigger.name:
                converter = converter_of(binding)
                arguments[binding.name] = converter.decode(data, trigger_metadata=metadata)
            elif binding.type == kinds.DURABLE_CLIENT:
                arguments[binding.name] = self._client_binding()
        if function.takes_context:
            arguments["context"] = InvocationContext(function)
        return arguments


def describe(error: BaseException) -> str:
    """The worker's form of an exception: type and text, which the engine and the SDK build their messages from."""
    return f"{type(error).__name__}: {error}"


def error_type(error: Exception) -> str:
    """The exception type out of the worker's form; all that may be logged, for the text can hold data."""
    return str(error).partition(":")[0]


def stack_of(error: BaseException) -> str:
    """The traceback from the user's function inwards, without this host's own frames."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename not in _OUR_FILES]
    return "".join(traceback.format_list(frames))
