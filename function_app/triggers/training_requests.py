"""An upstream system asks for a training; ``function_app.intake.training_requests``, imported then, takes it in."""

import azure.durable_functions as df
import azure.functions as func

from function_app.composition import Services

QUEUE = "training-requests"
CONNECTION = "ServiceBusConnection"  # shared.settings.SERVICE_BUS_SETTING, which takes too long to import at the start


def blueprint(services: Services) -> df.Blueprint:
    """The trigger. It returns for a message that is done with; it raises for one that is to be delivered again."""
    bp = df.Blueprint()

    # Without the data type the host would read the body as text, and spoil what is none.
    @bp.service_bus_queue_trigger(
        arg_name="message", queue_name=QUEUE, connection=CONNECTION, data_type=func.DataType.BINARY
    )
    @bp.durable_client_input(client_name="client")
    async def on_training_request(message: func.ServiceBusMessage, client: df.DurableOrchestrationClient) -> None:
        from function_app.intake.training_requests import receive

        await receive(message, services, client)

    return bp
