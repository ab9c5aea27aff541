"""``python -m infra.checks``: what can be said of the infrastructure without Azure; exit status 1 for findings."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from infra.checks import (
    alerts,
    app_settings,
    bodies,
    duties,
    flex,
    hub,
    meeting,
    package,
    policy,
    roles,
    secrets,
    source,
    wiring,
)
from infra.checks.bicep import BicepFile, parse
from infra.checks.findings import Finding
from infra.checks.tools import ROOT, ToolMissingError

INFRA = ROOT / "infra"
APP, ALERTS, MESSAGING = "modules/app.bicep", "modules/alerts.bicep", "modules/messaging.bicep"


def findings(infra: Path, root: Path = ROOT) -> Iterator[Finding]:
    """All findings in a folder with ``main.bicep`` and what belongs to it, but those that take ``checkov``."""
    files: dict[str, BicepFile] = {}
    for path in sorted(infra.rglob("*.bicep")):
        name = path.relative_to(infra).as_posix()
        match parse(path, name):
            case Finding() as finding:
                yield finding
            case BicepFile() as file:
                files[name] = file
    resources = [each for file in files.values() for each in file.resources]
    for each in resources:
        yield from bodies.check(each, files[each.file].names)
    for file in files.values():
        yield from source.check(file)
        yield from secrets.check(file)
    yield from duties.check(resources)
    yield from wiring.check(files)
    yield from roles.check(resources, root)
    yield from meeting.check(files, root)
    yield from _deployment(infra, files)
    for path in sorted((infra / "hub").rglob("*.json")):
        yield from hub.check(path, path.relative_to(infra).as_posix())


def _deployment(infra: Path, files: dict[str, BicepFile]) -> Iterator[Finding]:
    if "main.bicep" in files:
        parameters = infra / "main.parameters.json"
        yield from wiring.check_parameters(files["main.bicep"], parameters)
        yield from secrets.check_parameters(parameters)
        if "after-code.bicep" in files:
            yield from wiring.check_script(infra / "after-code.sh", files["main.bicep"], files["after-code.bicep"])
    if ALERTS in files and MESSAGING in files:
        yield from alerts.check(files[ALERTS], files[MESSAGING], ROOT)
    if APP in files:
        yield from app_settings.check(files[APP])
        yield from app_settings.check_parameters(files[APP], infra / "main.parameters.json")
        yield from flex.check(files[APP])
        yield from secrets.check_settings(files[APP])


def seen_by_checkov(infra: Path) -> set[str]:
    """What checkov has to look at: every resource of the Bicep files, and the ARM templates."""
    bicep = set()
    for path in infra.rglob("*.bicep"):
        name = path.relative_to(infra).as_posix()
        file = parse(path, name)
        bicep.add(name)
        if isinstance(file, BicepFile):
            bicep |= {each.where for each in file.resources if not each.existing}
    arm = {path.relative_to(infra).as_posix() for path in (infra / "hub").rglob("*.json") if hub.is_template(path)}
    return bicep | arm


def main() -> int:
    """Print the findings."""
    found = [*findings(INFRA), *package.check(ROOT)]
    try:
        found += policy.check(policy.report_on(INFRA), seen_by_checkov(INFRA))
    except ToolMissingError as missing:
        # At home without a network the other checks are better than none; where everything must be checked it fails.
        print(f"infra: policy was not checked: {missing}", file=sys.stderr)
        if os.environ.get("CI"):
            return 1
    for each in sorted(found):
        print(each)
    print(f"infra: {len(found)} findings" if found else "infra: no findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
