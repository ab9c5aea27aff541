"""Which converter makes a binding's argument: the SDK's for a name it knows, else the worker's generic one.

Source of the rules: the Python worker (``bindings/meta.py`` and ``bindings/generic.py``).
"""

from typing import Any

import azure.functions as func
from azure.functions.meta import Datum

from local_stack.functions_host.functions import Binding


class GenericConverter:
    """For names the SDK does not know, also by their case: the value goes through as the text or bytes that it is."""

    @classmethod
    def check_input_type_annotation(cls, annotation: type) -> bool:
        """Whether a parameter may be annotated so."""
        return issubclass(annotation, str | bytes)

    @classmethod
    def check_output_type_annotation(cls, annotation: type) -> bool:
        """Whether a return value may be annotated so."""
        return issubclass(annotation, str | bytes | bytearray)

    @classmethod
    def decode(cls, data: Datum, *, trigger_metadata: object) -> Any:  # noqa: ARG003 - the worker's signature
        """The argument. Raises ``ValueError`` for other kinds of values."""
        if data.type not in {"string", "bytes", "json"}:
            raise ValueError(f'unexpected type of data received for the "generic" binding: {data.type!r}')
        return data.value

    @classmethod
    def encode(cls, value: object, *, expected_type: object) -> Datum:  # noqa: ARG003 - the worker's signature
        """The answer. Raises ``NotImplementedError`` for what is no text and no bytes."""
        if isinstance(value, str):
            return Datum(value, "string")
        if isinstance(value, bytes | bytearray):
            return Datum(bytes(value), "bytes")
        raise NotImplementedError


def converter_of(binding: Binding) -> Any:
    """The converter of a binding, by the type as the app spells it."""
    return func.get_binding_registry().get(binding.declared) or GenericConverter
