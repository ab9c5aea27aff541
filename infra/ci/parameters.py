"""``python3 -m infra.ci.parameters``: ``main.parameters.json`` with the environment's values, as azd fills it in.

Standard library only: it runs where nothing is installed. ``${NAME}`` must be set, ``${NAME=default}`` need not.
"""

import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?:=(?P<default>[^}]*))?\}")


def filled(text: str, environment: Mapping[str, str]) -> str:
    """The file's text with values; raises :class:`KeyError` with the name of what is not set."""

    def value(found: re.Match[str]) -> str:
        name, default = found["name"], found["default"]
        given = environment.get(name) or default
        if given is None:
            raise KeyError(name)
        return json.dumps(given)[1:-1]

    return _VARIABLE.sub(value, text)


def main() -> int:
    """Print the file with the values of this environment."""
    text = (Path(__file__).resolve().parents[1] / "main.parameters.json").read_text(encoding="utf-8")
    try:
        print(filled(text, os.environ))
    except KeyError as error:
        print(f"the environment has no {error.args[0]}; set it", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
