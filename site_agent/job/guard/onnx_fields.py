"""Which fields the messages of ONNX have; source: onnx/onnx.proto, IR version 13, and the protocol-buffers encoding.

Kinds: ``v`` a varint, ``f`` four bytes, ``t`` text, ``b`` bytes, ``F`` floats, ``D`` doubles, ``I`` varints, the last
three packed or not; ``!`` a field that no model needs and that is refused; otherwise the name of a message.
"""

from typing import Final

MESSAGES: Final[dict[str, dict[int, str]]] = {
    "Model": {
        1: "v", 2: "t", 3: "t", 4: "t", 5: "v", 6: "t", 7: "Graph", 8: "OperatorSet", 14: "Entry", 20: "!",
        25: "Function", 26: "!",
    },
    "Graph": {
        1: "Node", 2: "t", 5: "Tensor", 10: "t", 11: "ValueInfo", 12: "ValueInfo", 13: "ValueInfo", 14: "Annotation",
        15: "SparseTensor", 16: "Entry",
    },
    "Node": {1: "t", 2: "t", 3: "t", 4: "t", 5: "Attribute", 6: "t", 7: "t", 8: "t", 9: "Entry", 10: "!"},
    "Attribute": {
        1: "t", 2: "f", 3: "v", 4: "b", 5: "Tensor", 6: "Graph", 7: "F", 8: "I", 9: "b", 10: "Tensor", 11: "Graph",
        13: "t", 14: "Type", 15: "Type", 20: "v", 21: "t", 22: "SparseTensor", 23: "SparseTensor",
    },
    "Tensor": {
        1: "I", 2: "v", 3: "!", 4: "F", 5: "I", 6: "b", 7: "I", 8: "t", 9: "raw", 10: "D", 11: "I", 12: "t", 13: "!",
        14: "zero", 16: "Entry",
    },
    "SparseTensor": {1: "Tensor", 2: "Tensor", 3: "I"},
    "ValueInfo": {1: "t", 2: "Type", 3: "t", 4: "Entry"},
    "Type": {1: "TensorType", 4: "Sequence", 5: "Map", 6: "t", 8: "TensorType", 9: "Sequence"},
    "TensorType": {1: "v", 2: "Shape"},
    "Sequence": {1: "Type"},
    "Map": {1: "v", 2: "Type"},
    "Shape": {1: "Dimension"},
    "Dimension": {1: "v", 2: "t", 3: "t"},
    "OperatorSet": {1: "t", 2: "v"},
    "Entry": {1: "t", 2: "t"},
    "Annotation": {1: "t", 2: "Entry"},
    "Function": {
        1: "t", 4: "t", 5: "t", 6: "t", 7: "Node", 8: "t", 9: "OperatorSet", 10: "t", 11: "Attribute",
        12: "ValueInfo", 13: "t", 14: "Entry",
    },
}  # fmt: skip
TEXT_ONLY: Final = frozenset({("Model", 6), ("Graph", 10), ("Node", 6), ("Attribute", 13), ("Tensor", 12),
                              ("ValueInfo", 3), ("Function", 8), ("Entry", 1), ("Entry", 2)})  # fmt: skip
"""Documentation and metadata: nothing that computes; bounded together."""

DTYPES: Final = {
    1: "<f4", 2: "|u1", 3: "|i1", 4: "<u2", 5: "<i2", 6: "<i4", 7: "<i8", 9: "|b1", 10: "<f2", 11: "<f8", 12: "<u4",
    13: "<u8", 16: "<u2",
}  # fmt: skip
"""``TensorProto.DataType`` as numpy's names; 8 is text, 14 and 15 complex numbers, from 17 on eight bits and fewer."""
