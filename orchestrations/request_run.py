"""Handle one training request: admission, then the run as a sub-orchestration, so that a crash cannot separate the two.

An HTTP caller reads the admission from the custom status (``function_app.api.starts``); a message is answered with a
message. Nobody waits for the run itself.
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
from shared.values.wire import from_wire, to_wire

NAME = "request_run"

ANSWER_PAUSE = timedelta(hours=1)  # pause between rounds of retries; one round takes some minutes
_SEND_AGAIN = "when that is over, send the request again with another MessageId"
ANSWER_ROUNDS = 24  # after a day without an answer, the sender is taken to have given up


def request_run(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
    """Custom status: ``{"admission": {...}}``, ``{"rejected": code, "reason": text}`` or ``{"failed": reason}``.

    Output: the record of the run that was started, or the custom status.
    """
    request = from_wire(AdmissionRequest, context.get_input())
    said, admission, trouble = yield from _admit(context, request)
    show(context, said)
    granted = admission.run if admission is not None and admission.start else None
    if request.reply is not None:
        known = replace(admission, run=None) if admission is not None else None
        answer = AnswerRequest(request=request, admission=known, rejected=trouble)
        # A run waits for one round of retries only: its outcome is sent in any case.
        yield from _answer(context, answer, rounds=1 if granted is not None else ANSWER_ROUNDS)
    if granted is None:
        return said
    record = yield context.call_sub_orchestrator("retrain_model", to_wire(granted), granted.run_id)
    return record


def _admit(
    context: df.DurableOrchestrationContext, request: AdmissionRequest
) -> Generator[Any, Any, tuple[dict[str, Any], Admission | None, str]]:
    """Returns the custom status, the admission (None when there is none), and the reason why there is none."""
    try:
        admission = yield from ADMIT_RUN.call(context, request)
    except PermanentError as error:
        return {"rejected": error.code.value, "reason": error.reason}, None, error.reason
    except Exception as error:  # noqa: BLE001 - retries ran out; the SDK knows no narrower type
        return {"failed": first_line(error)}, None, f"{gave_up(error)}; {_SEND_AGAIN}"
    known = {key: value for key, value in to_wire(admission).items() if key != "run"}
    return {"admission": known}, admission, ""


def _answer(
    context: df.DurableOrchestrationContext, answer: AnswerRequest, *, rounds: int
) -> Generator[Any, Any, None]:
    """Answer the message, with further rounds of retries. A message that cannot be answered never stops a run."""
    for left in reversed(range(rounds)):
        try:
            yield from ANSWER_REQUEST.call(context, answer)
        except Exception:  # noqa: BLE001 - the cause is the broker or the settings, never the run
            if left:
                yield context.create_timer(context.current_utc_datetime + ANSWER_PAUSE)
        else:
            return
