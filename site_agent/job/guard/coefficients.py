"""Small texts: JSON, YAML or CSV with coefficients, settings and names, below a size limit."""

import csv
import re
from collections.abc import Sequence
from typing import Any, Final

from site_agent.job.guard.boosters import looks_like_xgboost, recognise_xgboost_json
from site_agent.job.guard.pieces import Collected, Piece, Recognised, collect, parsed_json
from site_agent.job.guard.spans import HeldBackError, Span

MOST_BYTES: Final = 256 * 1024
_LONGEST_TEXT: Final = 256  # characters of one text in it
_DEEPEST_YAML: Final = 50
_WORD: Final = re.compile(r"[^\s,;:|\"'()\[\]{}]+")
_COMMENT: Final = re.compile(r"(?:^|(?<=\s))#+(.*)", re.MULTILINE)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_RULE: Final = f"coefficients as text, at most {MOST_BYTES // 1024} KiB"


def recognise_text(span: Span) -> Recognised:
    """A JSON, CSV or YAML file; raises :class:`HeldBackError` for other texts."""
    data = span.read()
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise HeldBackError("it is of no kind that may leave") from None
    if _CONTROL.search(text):
        raise HeldBackError("it is of no kind that may leave")
    if text.lstrip()[:1] in ("{", "["):
        document = parsed_json(data)
        return recognise_xgboost_json(document) if looks_like_xgboost(document) else _collected("json", document, data)
    table = _csv(text)
    if table is not None:
        return _collected("csv", table, data)
    return _collected("yaml", _yaml(text), data, comments=_COMMENT.findall(text))


def _collected(kind: str, document: Any, data: bytes, *, comments: Sequence[str] = ()) -> Recognised:
    # Words of the data may stand in a comment as well as in a value.
    texts = Collected(strings=[*comments, *(word for comment in comments for word in _WORD.findall(comment))])
    try:
        collect(_with_json_opened(document), texts, kind)
    except RecursionError:
        raise HeldBackError("its parts are nested too deeply") from None
    if any(len(each) > _LONGEST_TEXT for each in texts.strings):
        raise HeldBackError(f"a text in it has more than {_LONGEST_TEXT} characters")
    pieces = [Piece("text", data), *texts.pieces(kind)]
    return Recognised(kind, _RULE, pieces, texts.strings)


def _with_json_opened(part: Any, *, deeper: bool = True) -> Any:
    """The document with long texts that are JSON themselves as what they say, as MLflow keeps a model's signature."""
    if isinstance(part, dict):
        return {name: _with_json_opened(value, deeper=deeper) for name, value in part.items()}
    if isinstance(part, list):
        return [_with_json_opened(value, deeper=deeper) for value in part]
    if deeper and isinstance(part, str) and len(part) > _LONGEST_TEXT and part.lstrip()[:1] in ("{", "["):
        try:
            return _with_json_opened(parsed_json(part.encode("utf-8", "surrogatepass")), deeper=False)
        except HeldBackError:
            return part
    return part


def _csv(text: str) -> list[list[Any]] | None:
    """The cells when the text is a table with numbers, else None."""
    try:
        rows = [row for row in csv.reader(text.splitlines(), strict=True) if row]
    except csv.Error:
        return None
    if not rows or len(rows[0]) < 2 or any(len(row) != len(rows[0]) for row in rows):
        return None
    cells: list[list[Any]] = [[_cell(each) for each in row] for row in rows]
    numeric = sum(isinstance(each, float) for row in cells for each in row)
    return cells if 2 * numeric >= sum(map(len, cells)) - len(cells[0]) and numeric else None


def _cell(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text


def _yaml(text: str) -> Any:
    import yaml  # not in every dependency image, where the box runs

    try:
        depth = scalars = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            # Its scanner's time grows with the square of the depth.
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST_YAML:
                raise HeldBackError("its parts are nested too deeply")
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) or getattr(event, "tag", None):
                raise HeldBackError("it has anchors or tags of YAML, which coefficients do not need")
            scalars += isinstance(event, yaml.ScalarEvent)
        document = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise HeldBackError("it is of no kind that may leave") from None
    if not isinstance(document, dict | list):
        raise HeldBackError("it is of no kind that may leave")
    if scalars != _scalars_of(document):
        raise HeldBackError("a name stands twice in one object")
    return document


def _scalars_of(part: Any) -> int:
    """How many names, texts and numbers there are: of a name that stood twice, YAML keeps the last value only."""
    if isinstance(part, dict):
        return sum(1 + _scalars_of(value) for value in part.values())
    return sum(map(_scalars_of, part)) if isinstance(part, list) else 1
