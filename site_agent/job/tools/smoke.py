"""Runs in a sealed container: lets the pipeline's ``score.py`` answer its own sample, as the scoring server would.

Arguments: the folder with ``score.py`` and ``sample.json``, and the file to write the answer to. Stands alone.
"""

import importlib
import json
import sys
from pathlib import Path


def main(code: str, answer: str) -> None:
    """Write what ``run()`` returns as JSON; whatever ``score.py`` raises ends the program."""
    sys.path.insert(0, code)
    score = importlib.import_module("score")
    score.init()
    given = score.run((Path(code) / "sample.json").read_text(encoding="utf-8"))
    Path(answer).write_text(json.dumps(given, allow_nan=False), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
