"""Service Bus trigger: an upstream system requests a training; handled by ``function_app.intake.training_requests``."""

import azure.durable_functions as df
import azure.functions as func

from function_app.composition import Services
from shared.telemetry import span, trace_from_host
from shared.values.traces import trace_of_message

QUEUE = "training-requests"
CONNECTION = "ServiceBusConnection"  # shared.settings.SERVICE_BUS_SETTING, which is too slow to import here


def blueprint(services: Services) -> df.Blueprint:
    """The trigger. It returns when a message is settled, and raises when it is to be delivered again."""
    bp = df.Blueprint()

    # Without the data type the host would decode the body as text, and corrupt a binary one.
    @bp.service_bus_queue_trigger(
        arg_name="message", queue_name=QUEUE, connection=CONNECTION, data_type=func.DataType.BINARY
    )
    @bp.durable_client_input(client_name="client")
    async def on_training_request(
        message: func.ServiceBusMessage, client: df.DurableOrchestrationClient, context: func.Context
    ) -> None:
        from function_app.intake.training_requests import receive

        parent = trace_of_message(message.application_properties) or trace_from_host(context)
        with span("on_training_request", parent):
            await receive(message, services, client)

    return bp
