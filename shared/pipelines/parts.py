"""What the parts of a pipeline's file have in common: their base, and kinds of fields."""

from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from shared.decisions.arrivals.blob_names import unsafe_characters

NAME: Final = r"^[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?$"
TRAINING_FOLDER: Final = r"^[a-z][a-z0-9_]*$"
METRIC: Final = r"^[ -~]+$"
MODEL: Final = r"^[a-zA-Z0-9][\w.-]{0,99}$"
SIZE: Final = r"^[1-9][0-9]{0,6}[mg]$"
PATTERNS: Final = {
    NAME: "1 to 48 lower-case letters, digits and hyphens, with no hyphen at either end",
    TRAINING_FOLDER: "lower-case letters, digits and underscores, beginning with a letter",
    METRIC: "printable ASCII characters",
    SIZE: "a whole number with m or g, such as 512m or 4g",
    MODEL: "at most 100 letters, digits, underscores, dots and hyphens, beginning with a letter or a digit",
}
"""What the patterns of fields ask for, in words."""


class Part(BaseModel):
    """A mapping in the file: fields that are not known are refused by name, and so are numbers that are none."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _blob_name(value: str) -> str:
    """Storage keeps a backslash as a slash, and a slash at the start makes a folder without a name."""
    if "\\" in value:
        raise ValueError(f"must not contain a backslash; write {value.replace(chr(92), '/')}")
    if value.startswith("/"):
        raise ValueError(f"must not start with a slash; write {value.lstrip('/')}")
    if unsafe_characters(value):
        raise ValueError(
            "must not contain control characters or code points that are not characters; type the name again"
        )
    return value


Seconds = Annotated[float, Field(ge=0, le=30 * 86_400)]
Folder = Annotated[str, Field(max_length=500), AfterValidator(_blob_name)]
BlobName = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_blob_name)]
Name = Annotated[str, Field(pattern=NAME)]
