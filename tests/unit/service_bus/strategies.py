"""Values of every AMQP type that is served, and bytes that look like AMQP but need not be."""

import uuid

from hypothesis import strategies as st

from local_stack.service_bus.amqp_types import (
    Array,
    Described,
    Int,
    Symbol,
    Timestamp,
    UByte,
    UInt,
    ULong,
    UShort,
    Value,
)
from local_stack.service_bus.codec import encode

_BITS = {UByte: 8, UShort: 16, UInt: 32, ULong: 64, Int: -32, int: -64, Timestamp: -64}


def _whole(kind: type, bits: int) -> st.SearchStrategy[Value]:
    low, high = (0, 2**bits - 1) if bits > 0 else (-(2 ** (-bits - 1)), 2 ** (-bits - 1) - 1)
    return st.integers(low, high).map(kind)


texts = st.text(max_size=300)
symbols = st.text(st.characters(codec="ascii"), max_size=300).map(Symbol)
_elements: dict[type, st.SearchStrategy[Value]] = {
    **{kind: _whole(kind, bits) for kind, bits in _BITS.items()},
    float: st.floats(allow_nan=False),
    bool: st.booleans(),
    bytes: st.binary(max_size=300),
    str: texts,
    Symbol: symbols,
    uuid.UUID: st.uuids(),
}
arrays = st.sampled_from(sorted(_elements, key=repr)).flatmap(
    lambda kind: st.lists(_elements[kind], max_size=8).map(lambda items: Array(kind, tuple(items)))
)
plain = st.one_of(st.none(), *_elements.values(), arrays)
values: st.SearchStrategy[Value] = st.recursive(
    plain,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.dictionaries(texts, inner, max_size=5),
        st.builds(Described, st.one_of(symbols, _elements[ULong]), inner),
    ),
    max_leaves=20,
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """An encoded value with some bytes changed, cut off or added."""
    data = bytearray(encode(draw(values)))
    for position in draw(st.lists(st.integers(0, len(data) - 1), max_size=4)):
        data[position] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(0, len(data)))] + draw(st.binary(max_size=8)))


garbage = st.one_of(st.binary(max_size=200), damaged())
