"""The HTTP API behind its bindings: what is asked, what is answered, and the document that describes both.

Nothing here is imported before the first request: the models need pydantic, which a cold start must not wait for.
"""
