"""A pipeline's file: one YAML text, read into the model; what is wrong with it is said by file and field."""

import yaml
from pydantic import ValidationError

from shared.errors import Code, PermanentError
from shared.pipelines.model import Pipeline


def parse_pipeline(text: str, *, source: str) -> Pipeline:
    """Validate one YAML text; the error names the file, the field and what is wrong with it."""
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        text = " ".join(str(error).split())
        hint = "; put a value that starts with * in quotes" if "alias" in text else ""
        raise PermanentError(f"{source}: not valid YAML: {text}{hint}", code=Code.BAD_PIPELINE) from None
    if not isinstance(raw, dict):
        raise PermanentError(
            f"{source}: must be a mapping with name, data, train, judge, deliver", code=Code.BAD_PIPELINE
        )
    try:
        return Pipeline.model_validate(raw)
    except ValidationError as error:
        problems = "; ".join(
            ": ".join([*_field(item["loc"]), item["msg"].removeprefix("Value error, ")]) for item in error.errors()
        )
        raise PermanentError(f"{source}: {problems}", code=Code.BAD_PIPELINE) from None


def _field(where: tuple[int | str, ...]) -> list[str]:
    return [".".join(map(str, where))] if where else []  # what concerns several fields names them itself
