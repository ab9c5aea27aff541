"""The app: triggers, orchestrations and activities, composed here and nowhere else."""

import azure.durable_functions as df
import azure.functions as func

from function_app import activity_wiring, logs, telemetry_export, workflows
from function_app.composition import Services
from function_app.triggers import data_arrival, operations, page, training_requests, training_status, watch


def build_app(services: Services) -> df.DFApp:
    """The Functions app over these services; called once per process."""
    built = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)
    for blueprint in (
        data_arrival.blueprint(services),
        training_requests.blueprint(services),
        training_status.blueprint(),
        operations.blueprint(services),
        page.blueprint(services),
        watch.blueprint(services),
        workflows.blueprint(),
        activity_wiring.blueprint(services),
    ):
        built.register_functions(blueprint)
    return built


logs.set_up()
telemetry_export.set_up()
app = build_app(Services())
