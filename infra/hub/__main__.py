"""Make what the VM's template needs, and what the site's app and VM get of the hub's storage.

::

    python -m infra.hub job --out job.tar                      the job, to upload where the VM can fetch it
    python -m infra.hub custom-data --training-key FILE.pub --serving-key FILE.pub [--policy FILE] --out FILE
    python -m infra.hub signatures --site SITE --out FOLDER    containers and signatures, with the account's own key
"""

import argparse
import getpass
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cli.job_installation import job_source
from infra.hub.custom_data import VM_FILES, Download, VmPlan, custom_data
from infra.hub.job_bundle import read_bundle, write_bundle
from infra.hub.signatures import account_in, containers_of, make_containers, require_folder, site_files, write_private
from shared.errors import Code, EdgetrainError, PermanentError
from shared.pipelines import Pipelines

_ROOT = Path(__file__).resolve().parents[2]


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line asks; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        options.action(options)
    except EdgetrainError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: {error.filename} cannot be used ({error.strerror})", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.hub", description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(required=True)
    job = commands.add_parser("job", help="write the job as one file, and print its key and SHA-256")
    job.add_argument("--out", type=Path, required=True)
    job.add_argument("--wheels", type=Path, help="a folder with the locked libraries, for a VM without a package index")
    job.set_defaults(action=_job)
    data = commands.add_parser("custom-data", help="write cloud-init's document for the template")
    data.add_argument("--out", type=Path, required=True)
    data.add_argument("--training-key", type=Path, required=True, help="public key that Azure ML logs in with")
    data.add_argument("--serving-key", type=Path, required=True, help="public key that the app logs in with")
    data.add_argument("--policy", type=Path, default=VM_FILES / "policy.yaml", help="default: no run is allowed")
    data.add_argument("--data-disk", default=VmPlan.__dataclass_fields__["data_disk"].default, help="or: none")
    data.add_argument("--job-url", default="", help="where the VM fetches the job; without, prepare-vm installs it")
    data.add_argument("--job-file", type=Path, help="the bundle that lies there")
    data.add_argument("--python-url", default="", help="a build of Python 3.11, for Ubuntu")
    data.add_argument("--python-sha256", default="")
    data.set_defaults(action=_custom_data)
    signatures = commands.add_parser(
        "signatures",
        help="make a site's containers and signatures",
        description=(
            "Make the containers of a site that are not there, and three files that only you can read: "
            "SITE-connection-string.txt and SITE-manifests-sas.txt for the app's settings, connection-string.txt "
            "for the VM (docs/rights.md). The account's own connection string comes on the input, or from a file."
        ),
    )
    signatures.add_argument("--site", required=True, help="as the pipelines' files name it")
    signatures.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="outside of the clone; it must be there"
    )
    signatures.add_argument(
        "--account-file", type=Path, metavar="FILE", help="has the account's own connection string; default: the input"
    )
    signatures.add_argument("--days", type=_days, default=180, help="until the signatures end; default: %(default)s")
    signatures.set_defaults(action=_signatures)
    return parser


def _job(options: argparse.Namespace) -> None:
    bundle = write_bundle(job_source(_ROOT), options.out, wheels=options.wheels)
    print(f"{bundle.file}: job {bundle.key}, SHA-256 {bundle.sha256}")


def _custom_data(options: argparse.Namespace) -> None:
    job, key = _fetched_job(options)
    python = Download(url=options.python_url, sha256=options.python_sha256) if options.python_url else None
    text = custom_data(
        VmPlan(
            training_key=options.training_key.read_text(encoding="utf-8"),
            serving_key=options.serving_key.read_text(encoding="utf-8"),
            policy=options.policy.read_text(encoding="utf-8"),
            data_disk=options.data_disk,
            job=job,
            job_key=key,
            python=python,
        )
    )
    options.out.write_text(text, encoding="utf-8")
    print(f"{options.out}: {len(text)} bytes")


def _signatures(options: argparse.Namespace) -> None:
    account = account_in(_own_connection_string(options.account_file))
    names = containers_of(options.site, Pipelines(_ROOT / "pipelines"))
    require_folder(options.out, options.site)
    for name, made in make_containers(account, names).items():
        print(f"container {name}: {'made' if made else 'was there'}")
    ends = datetime.now(UTC) + timedelta(days=options.days)
    files = site_files(options.site, account, ends=f"{ends:%Y-%m-%dT%H:%M:%SZ}")
    write_private(options.out, files)
    for name in files:
        print(options.out / name)
    print(f"the signatures end on {ends:%Y-%m-%d at %H:%M} UTC; make new ones before, with the same command")


def _own_connection_string(file: Path | None) -> str:
    if file is not None:
        return file.read_text(encoding="utf-8", errors="replace")
    if sys.stdin.isatty():
        return getpass.getpass("connection string of the storage account (it is not shown): ")
    return sys.stdin.buffer.read().decode("utf-8", errors="replace")


def _days(text: str) -> int:
    days = int(text)
    if not 1 <= days <= 3650:
        raise argparse.ArgumentTypeError("give 1 to 3650 days")
    return days


def _fetched_job(options: argparse.Namespace) -> tuple[Download | None, str]:
    if not options.job_url:
        return None, ""
    if options.job_file is None:
        reason = "--job-url needs --job-file, the bundle that lies there: its digest is what the VM checks"
        raise PermanentError(reason, code=Code.BAD_CONFIGURATION)
    bundle = read_bundle(options.job_file)
    return Download(url=options.job_url, sha256=bundle.sha256), bundle.key


if __name__ == "__main__":
    sys.exit(main())
