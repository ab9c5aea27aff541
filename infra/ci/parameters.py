r"""``python3 -m infra.ci.parameters``: ``main.parameters.json`` with the environment's values, as azd fills it in.

Standard library only: it runs where nothing is installed. ``${NAME}`` must be set, ``${NAME=default}`` need not. As azd
does, it puts a value into the text of the file as it is, so that ``\n`` in it is a line break.
"""

import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?:=(?P<default>[^}]*))?\}")


def filled(text: str, environment: Mapping[str, str]) -> str:
    """The file's text with values; raises :class:`ValueError` for what is not set, or breaks the file, by its name."""

    def value(found: re.Match[str]) -> str:
        name, default = found["name"], found["default"]
        given = environment.get(name) or default
        if given is None:
            raise ValueError(f"the environment has no {name}; set it")
        try:
            json.loads(f'"{given}"')
        except ValueError:
            how = r"write \n for a line break, \" for a quotation mark, \\ for a backslash"
            raise ValueError(f"{name} is no text in JSON, which azd puts it into as it is; {how}") from None
        return given

    return _VARIABLE.sub(value, text)


def main() -> int:
    """Print the file with the values of this environment."""
    text = (Path(__file__).resolve().parents[1] / "main.parameters.json").read_text(encoding="utf-8")
    try:
        print(filled(text, os.environ))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
