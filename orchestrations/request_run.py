"""What a person or a program asked for: admission, then the run. An orchestration, so that no crash can part the two.

The caller waits for the admission in the custom status (``function_app.triggers.operations``); the run goes on without
anybody waiting.
"""

from collections.abc import Generator
from typing import Any

import azure.durable_functions as df

from orchestrations.progress import first_line
from shared.contracts import ADMIT_RUN
from shared.errors import PermanentError
from shared.messages import AdmissionRequest
from shared.wire import from_wire, to_wire

NAME = "request_run"


def request_run(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
    """Custom status: ``{"admission": {...}}``, ``{"rejected": code, "reason": text}`` or ``{"failed": reason}``.

    Output: the record of the run that was started, or the custom status.
    """
    request = from_wire(AdmissionRequest, context.get_input())
    try:
        admission = yield from ADMIT_RUN.call(context, request)
    except PermanentError as error:
        return _answer(context, {"rejected": error.code.value, "reason": error.reason})
    except Exception as error:  # noqa: BLE001 - retries ran out; the SDK knows no narrower type
        return _answer(context, {"failed": first_line(error)})
    told = {key: value for key, value in to_wire(admission).items() if key != "run"}
    answer = _answer(context, {"admission": told})
    if not admission.start or admission.run is None:
        return answer
    record = yield context.call_sub_orchestrator("retrain_model", to_wire(admission.run), admission.run.run_id)
    return record


def _answer(context: df.DurableOrchestrationContext, answer: dict[str, Any]) -> dict[str, Any]:
    context.set_custom_status(answer)
    return answer
