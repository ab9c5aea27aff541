"""Functions nobody calls by HTTP: an Event Grid trigger in each schema, and a timer."""

import azure.durable_functions as df
import azure.functions as func

from function_app import journal  # type: ignore[attr-defined]  # mypy sees the project's own package of this name


def blueprint() -> df.Blueprint:
    """The sample's event and timer functions."""
    bp = df.Blueprint()

    @bp.event_grid_trigger(arg_name="event")
    def on_event(event: func.EventGridEvent) -> None:
        if event.get_json().get("fail"):
            raise ValueError("asked to fail")
        journal.note("event", id=event.id, subject=event.subject)

    @bp.event_grid_trigger(arg_name="event")
    @bp.durable_client_input(client_name="client")
    async def on_cloud_event(event: func.CloudEvent, client: df.DurableOrchestrationClient) -> None:
        await client.start_new("chain", f"event-{event.id}", {"start": event.get_json()["start"]})

    @bp.timer_trigger(arg_name="timer", schedule="%SAMPLE_SCHEDULE%", run_on_startup=False, use_monitor=True)
    def on_timer(timer: func.TimerRequest) -> None:
        journal.note("timer", past_due=timer.past_due, monitored=bool(timer.schedule_status))

    return bp
