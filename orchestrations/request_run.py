"""What a person or a program asked for: admission, then the run. An orchestration, so that no crash can part the two.

A caller over HTTP waits for the admission in the custom status (``function_app.api.starts``); a message is answered
with a message. The run goes on without anybody waiting.
"""

from collections.abc import Generator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import azure.durable_functions as df

from orchestrations.progress import first_line, gave_up, show
from shared.contracts import ADMIT_RUN, ANSWER_REQUEST
from shared.errors import PermanentError
from shared.messages import Admission, AdmissionRequest, AnswerRequest
from shared.wire import from_wire, to_wire

NAME = "request_run"

ANSWER_PAUSE = timedelta(hours=1)  # between rounds of tries, each of which rides out some minutes
ANSWER_ROUNDS = 24  # a sender that was not answered within a day will not be waiting any more


def request_run(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
    """Custom status: ``{"admission": {...}}``, ``{"rejected": code, "reason": text}`` or ``{"failed": reason}``.

    Output: the record of the run that was started, or the custom status.
    """
    request = from_wire(AdmissionRequest, context.get_input())
    said, admission, trouble = yield from _admit(context, request)
    show(context, said)
    granted = admission.run if admission is not None and admission.start else None
    if request.reply is not None:
        told = replace(admission, run=None) if admission is not None else None
        answer = AnswerRequest(request=request, admission=told, rejected=trouble)
        # A run waits for one round only: its outcome will be told in any case.
        yield from _answer(context, answer, rounds=1 if granted is not None else ANSWER_ROUNDS)
    if granted is None:
        return said
    record = yield context.call_sub_orchestrator("retrain_model", to_wire(granted), granted.run_id)
    return record


def _admit(
    context: df.DurableOrchestrationContext, request: AdmissionRequest
) -> Generator[Any, Any, tuple[dict[str, Any], Admission | None, str]]:
    """The custom status, the admission if there is one, and why there is none."""
    try:
        admission = yield from ADMIT_RUN.call(context, request)
    except PermanentError as error:
        return {"rejected": error.code.value, "reason": error.reason}, None, error.reason
    except Exception as error:  # noqa: BLE001 - retries ran out; the SDK knows no narrower type
        return {"failed": first_line(error)}, None, gave_up(error)
    told = {key: value for key, value in to_wire(admission).items() if key != "run"}
    return {"admission": told}, admission, ""


def _answer(
    context: df.DurableOrchestrationContext, answer: AnswerRequest, *, rounds: int
) -> Generator[Any, Any, None]:
    """Answer the message, again and again if need be. That nobody can be told never stops a run."""
    for left in reversed(range(rounds)):
        try:
            yield from ANSWER_REQUEST.call(context, answer)
        except Exception:  # noqa: BLE001 - whatever it is, it is the broker's or the settings' trouble, not the run's
            if left:
                yield context.create_timer(context.current_utc_datetime + ANSWER_PAUSE)
        else:
            return
