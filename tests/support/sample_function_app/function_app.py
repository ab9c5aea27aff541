"""The file the worker looks for; what it imports is the package beside it."""

from function_app import app  # type: ignore[attr-defined]  # mypy sees the project's own package of this name

__all__ = ["app"]
