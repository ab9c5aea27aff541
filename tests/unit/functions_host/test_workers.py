"""Which worker process has the next call."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from local_stack.functions_host.workers.pool import ScaledInvoker, WorkerPlan


def test_a_worker_that_ends_as_soon_as_it_is_ready_gets_no_call() -> None:
    async def calls() -> tuple[bool, Any]:
        invoker = ScaledInvoker([], client_binding=str, plan=WorkerPlan(1, Path()))
        first: Any = SimpleNamespace(pid=1)
        second: Any = SimpleNamespace(pid=2)
        call = asyncio.create_task(invoker._next())
        await asyncio.sleep(0)
        invoker._join(first)
        invoker._leave(first)
        await asyncio.sleep(0)
        waits = not call.done()
        invoker._join(second)
        return waits, (await call).pid

    assert asyncio.run(calls()) == (True, 2)
