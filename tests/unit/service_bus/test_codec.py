import contextlib
import uuid

import pytest
from hypothesis import given

from local_stack.service_bus.amqp_types import (
    Array,
    CodecError,
    Described,
    Int,
    Symbol,
    Timestamp,
    UInt,
    ULong,
    Value,
)
from local_stack.service_bus.codec import decode, encode
from tests.unit.service_bus.strategies import garbage, values


def alike(left: Value, right: Value) -> bool:
    """Equal, and of the same AMQP types all the way down."""
    if type(left) is not type(right):
        return False
    match left, right:
        case (list(), list()):
            return len(left) == len(right) and all(map(alike, left, right))
        case (dict(), dict()):
            return all(map(alike, left.items(), right.items())) and len(left) == len(right)
        case (tuple(), tuple()):
            return all(map(alike, left, right))
        case (Described(), Described()):
            return alike(left.descriptor, right.descriptor) and alike(left.value, right.value)
    return left == right


@given(values)
def test_what_is_encoded_decodes_to_the_same_value_of_the_same_types(value: Value) -> None:
    assert alike(decode(encode(value)), value)


@given(garbage)
def test_garbage_is_decoded_or_refused_with_the_codecs_own_error(data: bytes) -> None:
    with contextlib.suppress(CodecError):
        encode(decode(data))


@pytest.mark.parametrize(
    ("value", "data"),
    [  # from the examples and tables of the specification, part 1
        (None, "40"),
        (True, "41"),
        (UInt(0), "5200"),
        (UInt(256), "7000000100"),
        (ULong(0x24), "5324"),
        (-1, "55ff"),
        (Timestamp(0x0131_67A9_BA21), "830000013167a9ba21"),
        ("Hello, glorious messaging world", "a11f48656c6c6f2c20676c6f72696f7573206d6573736167696e6720776f726c64"),
        (Symbol("a"), "a30161"),
        ([], "45"),
        ([1, "x"], "c006025501a10178"),
        ({"k": Int(-2)}, "c10602a1016b54fe"),
        (Array(UInt, (UInt(1), UInt(2))), "e00a02700000000100000002"),
        (Described(ULong(0x24), []), "00532445"),
        (uuid.UUID(int=1), "98" + "0" * 31 + "1"),
    ],
)
def test_the_specifications_forms(value: Value, data: str) -> None:
    assert encode(value).hex() == data
    assert alike(decode(bytes.fromhex(data)), value)


@pytest.mark.parametrize("data", ["43", "44"])
def test_constant_forms_of_zero_are_read(data: str) -> None:
    assert decode(bytes.fromhex(data)) == 0


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("", "end inside"),
        ("a1ff61", "end inside"),
        ("ff", "starts no AMQP value"),
        ("4040", "left over"),
        ("a102ffff", "cannot be decoded"),
        ("5602", "boolean"),
        ("d00000000600000002" + "40", "larger than its bytes"),
        ("d0ffffffffffffffff40", "larger than its bytes"),
        ("f00000000800000fff4040404040", "larger than its bytes"),
        ("e0020540", "larger than its bytes"),
        ("e0030140" + "40", "not supported"),
        ("c1030140" + "40", "odd number"),
        ("c10402c0010040", "plain value"),
        ("c0030140" + "40", "fill its size"),
        ("00" * 200, "nested too deeply"),
    ],
)
def test_what_is_no_value_is_refused(data: str, reason: str) -> None:
    with pytest.raises(CodecError, match=reason):
        decode(bytes.fromhex(data))


@pytest.mark.parametrize("value", [object(), UInt(-1), ULong(2**64), Symbol("é"), {1, 2}, Array(list, ([],)), 2**63])
def test_what_has_no_form_is_refused(value: Value) -> None:
    with pytest.raises(CodecError):
        encode(value)


def test_nesting_beyond_reason_is_refused_on_the_way_out_too() -> None:
    nested: list[Value] = []
    for _ in range(10_000):
        nested = [nested]

    with pytest.raises(CodecError):
        encode(nested)
