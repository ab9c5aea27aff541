"""LightGBM's text and XGBoost's JSON and UBJSON: known fields, numbers and names.

Sources: LightGBM ``GBDT::SaveModelToString`` and ``Tree::ToString``; XGBoost ``doc/model.schema``; https://ubjson.org,
"Type Reference".
"""

import re
from array import array
from typing import Any, Final

import numpy as np

from site_agent.job.guard.pieces import Collected, Recognised, collect, numbers, once, parsed_json, require_memory
from site_agent.job.guard.spans import HeldBackError, Span

LIGHTGBM_MAGIC: Final = b"tree\nversion="
MOST_TEXT: Final = 256 * 1024 * 1024
_LONGEST_LINE: Final = 16 * 1024 * 1024  # characters; the numbers of a tree are a line each
_LARGEST_JSON: Final = 64 * 1024 * 1024
_LIGHTGBM_FIELDS: Final = (
    "version num_class num_tree_per_iteration label_index max_feature_idx objective average_output feature_names "
    "monotone_constraints feature_infos tree_sizes Tree num_leaves num_cat split_feature split_gain threshold "
    "decision_type left_child right_child leaf_value leaf_weight leaf_count internal_value internal_weight "
    "internal_count is_linear shrinkage cat_boundaries cat_threshold leaf_const num_features leaf_features leaf_coeff "
    "pandas_categorical"
)
_LIGHTGBM_KEYS: Final = frozenset(_LIGHTGBM_FIELDS.split())
_LIGHTGBM_TEXTS: Final = frozenset({"version", "objective", "feature_names", "feature_infos", "pandas_categorical"})
_NUMERIC: Final = re.compile(r"[-+0-9.eE infnaNIF]*")
_SECTION: Final = re.compile(r"tree|end of trees|end of parameters|parameters:|feature_importances:|average_output|")
_PARAMETER: Final = re.compile(r"\[[a-z_0-9]{1,60}: .{0,2000}\]")
_XGBOOST_TOP: Final = frozenset({"learner", "version", "Config"})
_XGBOOST_FIELDS: Final = (
    "attributes feature_names feature_types gradient_booster learner_model_param objective cats "
    "learner_train_param metrics generic_param"
)
_XGBOOST_LEARNER: Final = frozenset(_XGBOOST_FIELDS.split())


def recognise_lightgbm(span: Span) -> Recognised:
    """Every line is a known field, a parameter or the importance of a feature."""
    text = _text_of(span)
    require_memory(lists=0, texts=text.count("\n"))
    found = Recognised("lightgbm", "every line is a known field")
    values = array("d")  # in eight bytes each: a large model has many millions
    features: list[str] = []
    lines = text.split("\n")
    if max(map(len, lines)) > _LONGEST_LINE:
        raise HeldBackError("it has a line that LightGBM does not write")
    for line in lines:
        if _SECTION.fullmatch(line) or _PARAMETER.fullmatch(line):
            found.strings.append(line)
            continue
        name, _, value = line.partition("=")
        if ":" in name and name.startswith("pandas_categorical"):
            name, _, value = line.partition(":")
        if name == "feature_names":
            features = value.split()
        if (name in _LIGHTGBM_KEYS or name in features) and _NUMERIC.fullmatch(value):
            values.extend(_floats(value))
        elif name in _LIGHTGBM_TEXTS:
            _named(found, name, value, values)
        else:
            raise HeldBackError("it has a line that LightGBM does not write")
    if "end of trees" not in text:
        raise HeldBackError("it is cut")
    if values:
        found.pieces.append(numbers("numbers", values))
    return found


def _text_of(span: Span) -> str:
    if span.length > MOST_TEXT:
        raise HeldBackError(f"a model as text may have at most {MOST_TEXT} bytes")
    try:
        return span.read().decode("utf-8")
    except UnicodeDecodeError:
        raise HeldBackError("it is not text") from None


def _named(found: Recognised, name: str, value: str, values: "array[float]") -> None:
    found.strings += [name, *value.split()]
    if name == "pandas_categorical" and value.strip() != "null":
        texts = Collected()
        collect(parsed_json(value.encode("utf-8")), texts)
        found.strings += texts.strings
        values.extend(texts.values)
    else:
        values.extend(float(each) for each in re.findall(r"-?[0-9]+(?:\.[0-9]+)?(?:e[-+]?[0-9]+)?", value))


def _floats(text: str) -> list[float]:
    try:
        return [float(each) for each in text.split()]
    except ValueError:
        raise HeldBackError("it has a line that LightGBM does not write") from None


def recognise_xgboost_json(document: Any) -> Recognised:
    """A parsed JSON document whose names are those of XGBoost."""
    return _xgboost(document, "xgboost-json")


def looks_like_xgboost(document: Any) -> bool:
    """Whether a JSON document says that it is XGBoost's."""
    return isinstance(document, dict) and "learner" in document and document.keys() <= _XGBOOST_TOP


def recognise_large_json(span: Span) -> Recognised:
    """A JSON file that is too large for coefficients can only be XGBoost's."""
    if span.length > _LARGEST_JSON:
        raise HeldBackError(f"a model as JSON may have at most {_LARGEST_JSON} bytes; save it as .ubj")
    document = parsed_json(span.read())
    if not looks_like_xgboost(document):
        raise HeldBackError("it is JSON that is too large for coefficients, and not XGBoost's")
    return recognise_xgboost_json(document)


def recognise_ubj(span: Span) -> Recognised:
    """XGBoost's binary form."""
    if span.length > MOST_TEXT:
        raise HeldBackError(f"a model as UBJSON may have at most {MOST_TEXT} bytes")
    reader = _Ubj(span.read())
    document = reader.value(0)
    if reader.at != len(reader.data):
        raise HeldBackError("bytes follow its end")
    return _xgboost(document, "xgboost-ubj")


def _xgboost(document: Any, kind: str) -> Recognised:
    learner = document.get("learner") if isinstance(document, dict) else None
    if not looks_like_xgboost(document) or not isinstance(learner, dict) or learner.keys() - _XGBOOST_LEARNER:
        raise HeldBackError("it has fields that XGBoost does not write")
    texts = Collected()
    collect(document, texts, "learner")
    return Recognised(kind, "every field is known", texts.pieces("learner"), texts.strings)


_UBJ_NUMBERS: Final = {b"i": ">i1", b"U": ">u1", b"I": ">i2", b"l": ">i4", b"L": ">i8", b"d": ">f4", b"D": ">f8"}
_UBJ_CONSTANTS: Final = {b"Z": None, b"T": True, b"F": False}


class _Ubj:
    """Reads one value of UBJSON."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0
        self.lists = self.values = 0

    def take(self, count: int) -> bytes:
        """The next bytes."""
        part = self.data[self.at : self.at + count]
        if count < 0 or len(part) != count:
            raise HeldBackError("it is cut, or a length in it is wrong")
        self.at += count
        return part

    def number(self, marker: bytes) -> Any:
        """A number whose marker was read."""
        dtype = _UBJ_NUMBERS.get(marker)
        if dtype is None:
            raise HeldBackError("it has values of a kind that XGBoost does not write")
        return np.frombuffer(self.take(np.dtype(dtype).itemsize), dtype)[0].item()

    def length(self) -> int:
        """A length, with its marker."""
        found = self.number(self.take(1))
        if not isinstance(found, int) or found < 0:
            raise HeldBackError("it is cut, or a length in it is wrong")
        return found

    def text(self) -> str:
        """A text whose marker was read, or a name."""
        try:
            return self.take(self.length()).decode("utf-8")
        except UnicodeDecodeError:
            raise HeldBackError("it has a text that is not valid UTF-8") from None

    def value(self, depth: int) -> Any:
        """The next value."""
        if depth > 100:
            raise HeldBackError("its parts are nested too deeply")
        marker = self.take(1)
        self.values += 1
        self.lists += marker in (b"{", b"[")
        if self.values & 0xFFFF == 0:
            require_memory(lists=self.lists, numbers=2 * self.values)
        if marker == b"{":
            return self.object(depth)
        if marker == b"[":
            return self.list(depth)
        if marker == b"S":
            return self.text()
        if marker in _UBJ_CONSTANTS:
            return _UBJ_CONSTANTS[marker]
        return self.number(marker)

    def object(self, depth: int) -> dict[str, Any]:
        """An object, with its end or its count."""
        pairs: list[tuple[str, Any]] = []
        if self.data[self.at : self.at + 1] == b"#":
            self.at += 1
            pairs = [(self.text(), self.value(depth + 1)) for _ in range(self.length())]
        else:
            while self.data[self.at : self.at + 1] != b"}":
                pairs.append((self.text(), self.value(depth + 1)))
            self.at += 1
        return once(pairs)

    def list(self, depth: int) -> Any:
        """A list; with a type and a count it becomes an array."""
        if self.data[self.at : self.at + 1] == b"$":
            self.at += 1
            dtype = _UBJ_NUMBERS.get(self.take(1))
            if dtype is None or self.take(1) != b"#":
                raise HeldBackError("it has values of a kind that XGBoost does not write")
            count = self.length()
            return np.frombuffer(self.take(count * np.dtype(dtype).itemsize), dtype)
        if self.data[self.at : self.at + 1] == b"#":
            self.at += 1
            return [self.value(depth + 1) for _ in range(self.length())]
        found: list[Any] = []
        while self.data[self.at : self.at + 1] != b"]":
            found.append(self.value(depth + 1))
        self.at += 1
        return found
