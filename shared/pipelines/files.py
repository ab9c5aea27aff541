"""A pipeline's file: read, and validated by the model; what is wrong with it is said by file and field."""

import os
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from shared.errors import Code, PermanentError
from shared.pipelines.model import Pipeline
from shared.pipelines.parts import PATTERNS
from shared.values.fields import in_our_words
from shared.values.texts import shortened

LARGEST_FILE = 256 * 1024
"""Bytes; the largest pipeline that anybody wrote has four thousand."""


def read_pipeline(path: Path) -> Pipeline:
    """Read and validate one file, named ``<name of the pipeline>.yaml``.

    Raises :class:`PermanentError` with code ``BAD_PIPELINE``, whose reason begins with the file's name, for whatever
    may lie there instead.
    """
    source = shown(path.name)
    pipeline = parse_pipeline(_text_of(path, source), source=source)
    if pipeline.name != path.stem:
        raise _bad(source, f"name: is {pipeline.name!r}, but must be the file's name {shown(path.stem)!r}")
    return pipeline


def parse_pipeline(text: str, *, source: str) -> Pipeline:
    """Validate one YAML text; the error names the file, the field and the cause."""
    try:
        raw = yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader that is stricter
    except yaml.YAMLError as error:
        said = shortened(str(error).replace('in "<unicode string>", line', "at line"))
        hint = "; put a value that starts with * in quotes" if "alias" in said else ""
        raise _bad(source, f"not valid YAML: {said}{hint}") from None
    except RecursionError:
        raise _bad(source, "not valid YAML: its parts are nested too deeply") from None
    except ValueError as error:  # a date or a number that does not exist
        raise _bad(
            source, f"not valid YAML: {shortened(error)}; put the value in quotes if it is meant as text"
        ) from None
    if not isinstance(raw, dict):
        raise _bad(source, "must be a mapping with name, data, train, judge, deliver")
    try:
        return Pipeline.model_validate(raw)
    except ValidationError as error:
        problems = [": ".join([*_field(item["loc"]), _said(item)]) for item in error.errors()]
        raise _bad(source, "; ".join(problems)) from None


def shown(name: str) -> str:
    """A file's name as it can stand in a log line or an answer, whatever bytes it is made of."""
    readable = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in readable)


class _Loader(yaml.SafeLoader):
    """Refuses a key that is there twice: YAML itself takes the last one, silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {shortened(key.value, 60)!r} occurs twice", key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def _text_of(path: Path, source: str) -> str:
    """The file's text. What is no ordinary file is not opened: a pipe would never end."""
    try:
        if path.is_dir():
            raise _bad(source, "is a folder, not a file; rename it")
        size = path.stat().st_size
        if not path.is_file():
            raise _bad(source, "is not an ordinary file; replace it with one")
        if size > LARGEST_FILE:
            raise _bad(source, f"has {size} bytes, and at most {LARGEST_FILE} are allowed; shorten it")
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _bad(source, f"is not UTF-8 (byte {error.start}); save it as UTF-8") from None
    except OSError as error:
        raise _bad(source, f"cannot be read: {error.strerror}; correct its rights, or remove it") from None


def _bad(source: str, problem: str) -> PermanentError:
    return PermanentError(f"{source}: {problem}", code=Code.BAD_PIPELINE)


def _said(item: ErrorDetails) -> str:
    pattern = item.get("ctx", {}).get("pattern")
    return f"must be {PATTERNS[pattern]}" if pattern in PATTERNS else in_our_words(item["msg"])


def _field(where: tuple[int | str, ...]) -> list[str]:
    return [".".join(map(str, where))] if where else []  # what concerns several fields names them itself
