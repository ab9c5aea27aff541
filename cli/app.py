"""The command ``edgetrain``: what a site's operator and a data scientist run by hand.

Each command is a thin front for a module of this package; ``python -m cli`` is the same without an installation.
"""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

import typer

from cli.attach import attach
from cli.authoring import ROOT, AppRoot, new, try_, validate
from cli.deploy_check.command import deploy_check
from cli.doctor import doctor
from cli.layer_cache import DEFAULT
from cli.ledger_copy.command import backup, restore
from cli.operating.data import logs, score, upload
from cli.operating.deciding import action, approve, reinstate, reject, resume, retire, roll_back
from cli.operating.hands import cancel, release, start
from cli.operating.logging_in import login, logout
from cli.operating.looking import compare, models, pipelines, run, runs, targets, why
from cli.operating.page import page
from cli.operating.passports import passports
from cli.terminal import explained, heed_interrupts, progress
from shared.errors import Code, PermanentError

app = typer.Typer(
    name="edgetrain",
    help="Models that retrain themselves when new private data lands on-premises.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Names = Annotated[
    list[str] | None, typer.Option("--pipeline", metavar="NAME", help="A pipeline; may be given several times.")
]
Cache = Annotated[Path, typer.Option(metavar="DIR", help="Where layers of images are kept.")]


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - typer's callback
    if wanted:
        try:
            typer.echo(version("edgetrain"))
        except PackageNotFoundError:
            typer.echo("not installed; run it from the repository: python -m cli")
        raise typer.Exit


@app.callback()
def _options(
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Models that retrain themselves when new private data lands on-premises."""


AUTHORING = "Write a pipeline"
LOOKING = "Look at a running app"
HANDS = "Act on a running app"
DATA = "Data, predictions and logs"
PREPARING = "Prepare machines, images and this repository"

for command, name, panel in (
    (new, "new", AUTHORING),
    (validate, "validate", AUTHORING),
    (try_, "try", AUTHORING),
    (pipelines, "pipelines", LOOKING),
    (runs, "runs", LOOKING),
    (run, "run", LOOKING),
    (why, "why", LOOKING),
    (compare, "compare", LOOKING),
    (targets, "targets", LOOKING),
    (models, "models", LOOKING),
    (action, "action", LOOKING),
    (doctor, "doctor", LOOKING),
    (page, "page", LOOKING),
    (start, "start", HANDS),
    (approve, "approve", HANDS),
    (reject, "reject", HANDS),
    (cancel, "cancel", HANDS),
    (resume, "resume", HANDS),
    (roll_back, "roll-back", HANDS),
    (release, "release", HANDS),
    (retire, "retire", HANDS),
    (reinstate, "reinstate", HANDS),
    (upload, "upload", DATA),
    (score, "score", DATA),
    (logs, "logs", DATA),
    (login, "login", LOOKING),
    (logout, "logout", LOOKING),
    (deploy_check, "deploy-check", PREPARING),
    (backup, "backup", PREPARING),
    (restore, "restore", PREPARING),
):
    app.command(name, rich_help_panel=panel)(command)
app.command("attach", rich_help_panel=PREPARING)(attach)
app.add_typer(
    passports, name="passport", rich_help_panel=LOOKING, help="Show and verify the passports of deployed versions."
)


@app.command("prepare-vm", rich_help_panel=PREPARING)
@explained
def prepare_vm(
    *,
    pipeline: Names = None,
    every: Annotated[bool, typer.Option("--all", help="Every pipeline.")] = False,
    only: Annotated[str, typer.Option(metavar="compute|serving", help="One of the two parts.")] = "",
) -> None:
    """Prepare VMs over SSH: the job that trains in sealed containers, the slot to serve from. Safe to repeat.

    The app's settings say which VMs, and how they are reached (EDGETRAIN_COMPUTES__..., EDGETRAIN_TARGETS__...).
    What a VM must have: docs/serving-vm.md.
    """
    from cli.prepare_vm import prepare_chosen

    if bool(pipeline) == every:
        raise typer.BadParameter("name pipelines with --pipeline, or all of them with --all")
    if only not in {"", "compute", "serving"}:
        raise typer.BadParameter(f"--only takes compute or serving, not {only!r}")
    prepare_chosen(pipeline or [], compute=only != "serving", serving=only != "compute", say=progress())


@app.command("dependency-image", rich_help_panel=PREPARING)
@explained
def dependency_image(
    *,
    pipeline: Annotated[str, typer.Option(metavar="NAME", help="Of a file in pipelines/.")],
    base: Annotated[
        str, typer.Option(metavar="REPOSITORY:TAG", help="An image with Python 3.11 in the same registry.")
    ] = "",
    base_tar: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A root file system with Python 3.11, as a tar file.")
    ] = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Build it again, such as after updates of the base.")
    ] = False,
    pin: Annotated[
        bool, typer.Option("--pin", help="Pin what the tag points at now, though it was pinned to another image.")
    ] = False,
    cache: Cache = DEFAULT,
    app_root: AppRoot = ROOT,
) -> None:
    """Make the image that a pipeline trains in and its models are put on: a base, Python libraries, the scoring server.

    Once per lock file; what is there already stays. Its digest is pinned in the app's ledger (AzureWebJobsStorage), and
    a tag that is moved later is refused. Without --base or --base-tar the base is made from Debian packages.
    The registry is that of the app's settings (EDGETRAIN_CONTAINER_REGISTRY__URL, __USERNAME, __PASSWORD).
    """
    from cli.dependency_image import make_for

    if base and base_tar:
        raise typer.BadParameter("--base and --base-tar name two bases; give one")
    make_for(
        pipeline,
        base=base,
        base_tar=base_tar,
        rebuild=rebuild,
        cache=cache,
        app_root=app_root,
        say=progress(),
        pin=pin,
    )


@app.command("sign-image", rich_help_panel=PREPARING)
@explained
def sign_image(
    image: Annotated[str, typer.Argument(metavar="REPOSITORY@sha256:...", help="In the registry of the settings.")],
) -> None:
    """Sign an image that the app did not sign: made before images were signed, by other tools, or with an old key.

    With it you say that it may be run. The key is that of the app's settings (EDGETRAIN_SIGNING__...).
    """
    from cli.dependency_image import registry_settings
    from cli.image_signing import sign

    settings = registry_settings()
    sign(image, settings.container_registry, settings.signing, say=progress())


@app.command("base-image", rich_help_panel=PREPARING)
@explained
def base_image(cache: Cache = DEFAULT) -> None:
    """Make the lowest layer of scoring images from Debian packages, into the cache.

    For machines without a base image such as python:3.11-slim in reach. Needs mmdebstrap and a Debian mirror.
    """
    from cli.base_image import base_layer
    from cli.layer_cache import LayerCache

    say = progress()
    made = base_layer(LayerCache(cache), say)
    say(f"base layer: {made.file} ({made.layer.descriptor.size / 1e6:.0f} MB)")


@app.command(rich_help_panel=PREPARING)
@explained
def schemas(
    *,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; only check whether they are current.")] = False,
) -> None:
    """Write docs/schemas/ from the models that the app reads and writes with."""
    from cli.schemas import FOLDER, outdated, write

    if not check:
        write(FOLDER)
    elif old := outdated(FOLDER):
        reason = f"not current in docs/schemas: {', '.join(old)}; run `make schemas`"
        raise PermanentError(reason, code=Code.BAD_CONFIGURATION)


def main() -> None:
    """Run the command line; exit status 0, 1 on an error, 2 on a wrong call, 3 without the app, 130 on Ctrl-C."""
    heed_interrupts()
    app()
