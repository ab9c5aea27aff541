"""The local supervisor: starts the services of the stack, watches them, and leaves nothing behind."""

from local_stack.supervisor.layout import InUseError
from local_stack.supervisor.service import ServiceError
from local_stack.supervisor.stack import Stack

__all__ = ["InUseError", "ServiceError", "Stack"]
