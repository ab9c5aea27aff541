"""The HTTP API behind its bindings: operations, request and answer models, and the OpenAPI document.

Nothing here is imported before the first request: the models need pydantic, which would slow the cold start.
"""
