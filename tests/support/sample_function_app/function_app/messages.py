"""Functions that messages of a Service Bus queue and subscription call; the message says what is to happen."""

import time

import azure.durable_functions as df
import azure.functions as func

from function_app import journal  # type: ignore[attr-defined]  # mypy sees the project's own package of this name

_HELD_AT_MOST = 60.0  # seconds


def blueprint() -> df.Blueprint:
    """The sample's Service Bus functions."""
    bp = df.Blueprint()

    @bp.service_bus_queue_trigger(arg_name="message", queue_name="%SAMPLE_QUEUE%", connection="SAMPLE_SERVICE_BUS")
    def on_message(message: func.ServiceBusMessage) -> None:
        text = message.get_body().decode()
        journal.note(
            "message",
            id=message.message_id,
            delivery=message.delivery_count,
            text=text,
            properties=message.user_properties,
            correlation_id=message.correlation_id,
            reply_to=message.reply_to,
            subject=message.subject,
            enqueued_at=message.enqueued_time_utc.isoformat(),
            sequence=message.sequence_number,
        )
        if text == "fail" or (text == "fail once" and message.delivery_count == 1):
            raise ValueError("asked to fail, with a secret in the text")
        if text == "hold" and message.delivery_count == 1:
            _wait_for_release(message.message_id)
        journal.note("message done", id=message.message_id, delivery=message.delivery_count)

    @bp.service_bus_topic_trigger(
        arg_name="message", topic_name="results", subscription_name="all", connection="SAMPLE_SERVICE_BUS"
    )
    @bp.durable_client_input(client_name="client")
    async def on_result(message: func.ServiceBusMessage, client: df.DurableOrchestrationClient) -> None:
        await client.start_new("chain", f"result-{message.message_id}", {"start": int(message.get_body())})

    return bp


def _wait_for_release(message_id: str) -> None:
    deadline = time.monotonic() + _HELD_AT_MOST
    while not journal.count("release", id=message_id):
        if time.monotonic() > deadline:
            raise TimeoutError("nobody released the message")
        time.sleep(0.02)
