"""Prints what a shell needs to talk to the running stack, as ``export`` lines.

    eval "$(.venv/bin/python -m local_stack.shell)"

======================  ==========================================================================================
``EDGETRAIN_URL``       where the app answers
``EDGETRAIN_KEY``       its function key, for the header ``x-functions-key``
``HUB_STORAGE``         the connection string of the hub's blob storage, as its data owner has it
``SCORING_<PIPELINE>``  where the model of a pipeline answers, such as ``SCORING_BREAST_CANCER``
======================  ==========================================================================================
"""

import argparse
import shlex
import sys
from pathlib import Path
from typing import Any

from local_stack.files import read_object
from local_stack.supervisor.layout import Layout


def variables(endpoints: dict[str, Any]) -> dict[str, str]:
    """Name -> value of what a shell needs, in the order in which it is shown."""
    host = endpoints["functions_host"]
    scoring = {_variable(pipeline): url for pipeline, url in sorted(endpoints["serving"].items())}
    return {
        "EDGETRAIN_URL": host["url"],
        "EDGETRAIN_KEY": host["function_key"],
        "HUB_STORAGE": endpoints["hub_storage"]["connection_string"],
        **scoring,
    }


def _variable(pipeline: str) -> str:
    return f"SCORING_{pipeline.replace('-', '_').upper()}"


def main() -> int:
    """Print the lines; exit status 1 when no stack was started in the state folder."""
    parser = argparse.ArgumentParser(
        prog="python -m local_stack.shell", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--state", type=Path, default=Path(".local"), help="the state folder (default: %(default)s)")
    endpoints = read_object(Layout.at(parser.parse_args().state).endpoints)
    if not endpoints:
        print("no stack was started here; start it with: make up", file=sys.stderr)
        return 1
    for name, value in variables(endpoints).items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
