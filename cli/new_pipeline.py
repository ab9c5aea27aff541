"""Make the files of a new pipeline: its YAML file, its training folder with a test, and a lock.

What is made works as it is: it validates, trains on made-up data, and answers. The texts are in ``templates/``: those
of the kind, and those that every kind has; ``@name@`` and the like are filled in.
"""

import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory

from cli.csv_columns import Table
from shared.errors import Code, PermanentError
from shared.oci.references import ImageName
from shared.pipelines import Pipelines
from shared.pipelines.parts import NAME, PATTERNS

TEMPLATES = Path(__file__).parent / "templates"
_SUFFIX = ".template"
_EVERY = "every"
_TAKEN = frozenset({"common", "tests"})
_SHORTEST_CONTAINER = 3  # Azure's rule for containers of blobs


class Kind(StrEnum):
    """What a new pipeline begins with."""

    TABULAR = "tabular"
    FILES = "files"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Names of the settings that the pipeline's file shall have."""

    site: str = "factory"
    compute: str = "hub-vm"
    target: str = "hub-vm"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPipeline:
    """What was made. ``files``: below the root, in order. ``holdout``: as the pipeline's file names it."""

    name: str
    folder: str
    files: tuple[str, ...]
    holdout: str


def usual_places(root: Path) -> Places:
    """What the first of the pipelines that are there already names, since most have the same."""
    for pipeline in Pipelines(root / "pipelines").all:
        return Places(site=pipeline.data.site, compute=pipeline.train.compute, target=pipeline.deliver.targets[0].name)
    return Places()


def make_pipeline(root: Path, name: str, kind: Kind, places: Places, table: Table | None = None) -> NewPipeline:
    """Write the files of a new pipeline below ``root``. ``table``: the columns of a tabular one, else made-up ones.

    All or nothing: whatever goes wrong, no half of it stays. Raises :class:`PermanentError` for a name that cannot be
    one, and when something of that name exists.
    """
    folder = folder_of(name)
    _require_free(root, name, folder)
    values = {
        "name": name,
        "folder": folder,
        "container": name if len(name) >= _SHORTEST_CONTAINER else f"{name}-data",
        "site": places.site,
        "compute": places.compute,
        "target": places.target,
        **(table or Table()).values(),
    }
    (root / "training").mkdir(exist_ok=True)
    (root / "pipelines").mkdir(exist_ok=True)
    with TemporaryDirectory(dir=root / "training", prefix=".new-") as work:
        made = Path(work) / folder
        pipeline = Path(work) / "pipeline.yaml"
        for path, text in _rendered(kind, values):
            into = pipeline if path == pipeline.name else made / path
            into.parent.mkdir(parents=True, exist_ok=True)
            into.write_text(text, encoding="utf-8")
        files = sorted(f"training/{folder}/{path.relative_to(made).as_posix()}" for path in made.rglob("*.*"))
        made.rename(root / "training" / folder)
        try:
            (root / "pipelines" / f"{name}.yaml").hardlink_to(pipeline)  # unlike a rename, refuses what is there
        except BaseException:
            shutil.rmtree(root / "training" / folder)
            raise
    holdout = Pipelines(root / "pipelines").get(name).data.holdout
    return NewPipeline(name=name, folder=folder, files=(f"pipelines/{name}.yaml", *files), holdout=holdout)


def folder_of(name: str) -> str:
    """The training folder for a pipeline's name; raises :class:`PermanentError` when there can be none."""
    if not re.fullmatch(NAME, name):
        raise _refused(f"{name!r} cannot be a pipeline's name: it must be {PATTERNS[NAME]}")
    folder = name.replace("-", "_")
    if not folder[0].isalpha():
        raise _refused(f"{name!r} cannot be the name of a training folder, which begins with a letter; choose another")
    if folder in _TAKEN:
        raise _refused(f"training/{folder} has another purpose; choose another name")
    try:
        ImageName(f"scoring/{folder}", "latest")
    except ValueError:
        raise _refused(f"{name!r} cannot name an image: more than two hyphens in a row; choose another") from None
    return folder


def _require_free(root: Path, name: str, folder: str) -> None:
    places = [f"pipelines/{name}.yaml", f"pipelines/{name}.yml", f"training/{folder}"]
    there = [place for place in places if (root / place).exists() or (root / place).is_symlink()]
    if there:
        raise _refused(f"{' and '.join(there)} exist already, and nothing is overwritten; choose another name")


def _rendered(kind: Kind, values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Path and text of each file, those of the kind before those of every kind."""
    for part in (kind.value, _EVERY):
        for path in sorted((TEMPLATES / part).rglob(f"*{_SUFFIX}")):
            text = path.read_text(encoding="utf-8")
            for key, value in values.items():
                text = text.replace(f"@{key}@", value)
            yield (
                path.relative_to(TEMPLATES / part)
                .as_posix()
                .removesuffix(_SUFFIX)
                .replace("@folder@", values["folder"]),
                text,
            )


def _refused(reason: str) -> PermanentError:
    return PermanentError(reason, code=Code.BAD_REQUEST)
