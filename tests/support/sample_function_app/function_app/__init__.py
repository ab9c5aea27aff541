"""A small app that uses what the host must answer; the host's tests run it unmodified."""

import azure.durable_functions as df
import azure.functions as func

from function_app import durable_calls, events, messages, plain_http, workflows  # type: ignore[attr-defined]  # mypy sees the project's own package of this name

app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)
for _module in (plain_http, durable_calls, workflows, events, messages):
    app.register_functions(_module.blueprint())
