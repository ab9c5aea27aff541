"""What a data scientist runs: ``edgetrain new``, ``validate`` and ``try``. Fronts of other modules of this package."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from cli.layer_cache import DEFAULT
from cli.new_pipeline import Kind
from cli.terminal import explained

ROOT = Path(__file__).resolve().parent.parent

AppRoot = Annotated[
    Path, typer.Option(metavar="DIR", help="The folder with pipelines/ and training/.", show_default="this repository")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead.")]


@explained
def new(
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Lower-case letters, digits and hyphens.")],
    kind: Annotated[Kind, typer.Option(help="tabular: numbers in CSV; files: images in folders; empty: any files.")],
    like: Annotated[
        Path | None, typer.Option(metavar="FILE", help="For tabular: take the columns from this CSV file of yours.")
    ] = None,
    label: Annotated[str, typer.Option(metavar="COLUMN", help="With --like: the column with the classes.")] = "",
    site: Annotated[str, typer.Option(metavar="NAME", help="The hub that has the data, of the app's settings.")] = "",
    compute: Annotated[str, typer.Option(metavar="NAME", help="The VM that trains, of the app's settings.")] = "",
    target: Annotated[str, typer.Option(metavar="NAME", help="What serves the model, of the app's settings.")] = "",
    app_root: AppRoot = ROOT,
) -> None:
    """Make the files of a new pipeline, which works as it is: change its parts one by one.

    Without --site, --compute and --target, it names those of the first pipeline that is there. Nothing is overwritten.
    """
    from cli.csv_columns import table_of
    from cli.new_pipeline import Places, make_pipeline, usual_places

    if (like is not None) != bool(label) or (like is not None and kind is not Kind.TABULAR):
        raise typer.BadParameter("--like and --label go together, with --kind tabular")
    usual = usual_places(app_root)
    places = Places(site=site or usual.site, compute=compute or usual.compute, target=target or usual.target)
    made = make_pipeline(app_root, name, kind, places, table_of(like, label) if like else None)
    print("made:")
    for file in made.files:
        print(f"  {file}")
    print("next:")
    print(f"  edgetrain validate {name}")
    print(f"  python training/{made.folder}/tests/example_data.py .local/{name}")
    print(f"  edgetrain try {name} --data .local/{name}/landing --holdout .local/{name}/{made.holdout}")
    print(f"then change pipelines/{name}.yaml and training/{made.folder}/ to what yours is: docs/add-a-pipeline.md")


@explained
def validate(
    *,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="A pipeline.", show_default="all")] = None,
    resolve: Annotated[
        bool, typer.Option("--resolve", help="Also resolve the libraries anew with uv, which asks the package index.")
    ] = False,
    as_json: AsJson = False,
    app_root: AppRoot = ROOT,
) -> None:
    """Find what is wrong with pipelines before anything runs: file, names, folder, code, lock, sample.

    Where the app's settings are (EDGETRAIN_SITES__..., or local.settings.json), names are held against them.
    Exit status 0: nothing is wrong; 1: errors; warnings do not count.
    """
    from cli.validation.checks import Validation
    from cli.validation.findings import as_json as document
    from cli.validation.findings import as_lines

    validation = Validation(app_root, os.environ, resolve=resolve)
    if name is not None and not validation.has(name):
        known = ", ".join(validation.names) or "none"
        raise typer.BadParameter(f"there is no pipelines/{name}.yaml; there are: {known}")
    reports = [validation.report(each) for each in ([name] if name else validation.names)]
    if as_json:
        print(json.dumps(document(reports), indent=2))
    else:
        for line in as_lines(reports):
            print(line)
    if not all(report.valid for report in reports):
        raise typer.Exit(1)


@explained
def try_(
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A pipeline.")],
    data: Annotated[Path, typer.Option(metavar="DIR", help="Files to train on, as they lie below data.prefix.")],
    holdout: Annotated[Path, typer.Option(metavar="FILE", help="The file with the held-out rows.")],
    parameter: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Instead of the file's; may be given several times.")
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Measure the last trial's model too, on the rows.")
    ] = False,
    policy: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A site's policy, in place of a site's defaults.")
    ] = None,
    base_tar: Annotated[
        Path | None, typer.Option(metavar="FILE", help="For the image: a root file system with Python 3.11, as tar.")
    ] = None,
    cache: Annotated[Path, typer.Option(metavar="DIR", help="Where layers of images are kept.")] = DEFAULT,
    app_root: AppRoot = ROOT,
) -> None:
    """Run a pipeline's whole job here: the same checks, container, egress guard and smoke test as at a site.

    Needs podman, no stack and no settings. What the code prints is shown, since nothing leaves the screen; the data
    are copied for the time of the run. The first time, the image with the libraries is built, which takes minutes.
    Exit status 0: a run would succeed; 1: it would fail, and why.
    """
    from cli.trial.command import Choices, try_pipeline

    for option, path, there in (("--data", data, data.is_dir()), ("--holdout", holdout, holdout.is_file())):
        if not there:
            raise typer.BadParameter(f"{option} {path} is no {'folder' if option == '--data' else 'file'}")
    choices = Choices(
        name=name,
        data=data,
        holdout=holdout,
        parameters=tuple(parameter or ()),
        compare=compare,
        policy=policy,
        base_tar=base_tar,
        cache=cache,
        app_root=app_root,
    )
    if not try_pipeline(choices):
        raise typer.Exit(1)
