"""Writes the demo's data as files, for a person to upload.

    .venv/bin/python -m local_stack.sample_data breast-cancer FOLDER

``FOLDER/first/`` holds the hold-out and a first drop, ``FOLDER/second/`` more data, ``FOLDER/bad/`` rows with shuffled
labels, each below the names that the blobs are to have; ``FOLDER/request.json`` asks the model about one held-out row.
"""

import argparse
import json
from pathlib import Path

from local_stack.demo_data import DataStory, breast_cancer_story, diabetes_story, digits_story, scans_story

STORIES = {
    "breast-cancer": breast_cancer_story,
    "diabetes": diabetes_story,
    "digits": digits_story,
    "scans": scans_story,
}


def write(story: DataStory, folder: Path) -> None:
    """Write the story's files below ``folder``; what is there already is replaced."""
    drops = {"first": {story.holdout_name: story.holdout, **story.first}, "second": story.second, "bad": story.bad}
    for drop, files in drops.items():
        for name, content in files.items():
            path = folder / drop / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    (folder / "request.json").write_text(json.dumps(story.sample_request) + "\n", encoding="utf-8")


def main() -> None:
    """Write what the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m local_stack.sample_data",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("pipeline", choices=sorted(STORIES))
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    write(STORIES[options.pipeline](), options.folder)
    print(f"written to {options.folder}")


if __name__ == "__main__":
    main()
