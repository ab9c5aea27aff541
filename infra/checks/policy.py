"""Policy by ``checkov``, in an environment of its own: it brings a hundred packages, and its pins clash with ours.

It ends with 0 when it cannot parse a file, so what it has seen is compared with what there is. It takes ten seconds, so
its report is kept under ``.local/cache`` for as long as the files and its version stay the same.
"""

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Set
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from infra.checks.findings import Finding
from infra.checks.tools import CACHE, Tool

ACCEPTED: Mapping[str, str] = {
    "CKV_AZURE_17": "clients of the API show a function key or an Entra token",
    "CKV_AZURE_35": "the plan has no network of its own; who gets in is decided by identity",
    "CKV_AZURE_23": "the database keeps the state of orchestrations, which names runs; its errors go to the logs",
    "CKV_AZURE_24": "as CKV_AZURE_23",
    "CKV_AZURE_25": "Defender for SQL is chosen, and paid for, by subscription",
    "CKV_AZURE_26": "as CKV_AZURE_25",
    "CKV_AZURE_27": "as CKV_AZURE_25",
    "CKV_AZURE_40": "the key is replaced by hand; one that expires by itself would stop every run",
    "CKV_AZURE_43": "the name is computed from the subscription, and is lower case letters and digits",
    "CKV_AZURE_59": "as CKV_AZURE_35; nobody gets in without an identity",
    "CKV_AZURE_78": "Flex Consumption knows no FTP; where the plan always runs, infra.checks.flex wants it off",
    "CKV_AZURE_109": "as CKV_AZURE_35",
    "CKV_AZURE_112": "an HSM is the premium tier; a parameter of the vault for those who need it",
    "CKV_AZURE_113": "as CKV_AZURE_35; the server lets in services of Azure only, and knows no passwords",
    "CKV_AZURE_139": "VMs of sites pull over the internet, with a token that may only pull",
    "CKV_AZURE_166": "quarantine is a preview; what runs is verified by its signature at the target",
    "CKV_AZURE_189": "as CKV_AZURE_35",
    "CKV_AZURE_191": "the topic sends to a function of its own subscription",
    "CKV_AZURE_193": "sites publish arrivals from outside, by identity; the topic takes no key",
    "CKV_AZURE_206": "the workspace's account keeps what can be trained again; the host's account is zone-redundant",
    "CKV_AZURE_212": "Flex Consumption has no fixed number of instances",
    "CKV_AZURE_213": "Flex Consumption checks its instances itself",
    "CKV_AZURE_222": "Event Grid and upstream systems call the app; keys or Entra decide who may",
    "CKV_AZURE_225": "Flex Consumption; zones are chosen by region",
    "CKV_AZURE_229": "tiers with zones cost ten times as much; a parameter for those who need them is one line",
    "CKV_AZURE_243": "runs are submitted over the public endpoint, by identity",
}
"""Rules that we do not follow, and why."""

ON_A_HUB: Mapping[str, str] = {
    "CKV_AZURE_35": "a hub's storage accounts have no rules of networks",
    "CKV_AZURE_36": "as CKV_AZURE_35",
    "CKV_AZURE_43": "the name is computed from the resource group, and is lower case letters and digits",
    "CKV_AZURE_44": "the hub's operator decides on TLS; API version 2019-06-01 of a hub takes no such property",
    "CKV_AZURE_97": "a hub encrypts its disks at rest by itself",
    "CKV_AZURE_151": "as CKV_AZURE_97; and the VM runs Linux",
    "CKV_AZURE_206": "a hub has locally redundant storage only",
}
"""The same for the templates of a hub, which knows a part of Azure."""

_SECONDS = 300.0


def check(report: Mapping[str, Any], wanted: Set[str]) -> Iterator[Finding]:
    """``report``: of :func:`report_on`; ``wanted``: what must have been seen, ``file`` or ``file: resource``."""
    for name in sorted(wanted - set(report["seen"])):
        yield Finding(name, "checkov did not look at it; does the file parse?")
    for each in report["failed"]:
        excused = ON_A_HUB if each["file"].startswith("hub/") else ACCEPTED
        if each["rule"] not in excused:
            where = f"{each['file']}: {each['resource']}"
            yield Finding(where, f"{each['rule']}: {each['what']}; follow it, or say in {__name__} why not")
    for excuses, there in ((ACCEPTED, False), (ON_A_HUB, True)):
        broken = {each["rule"] for each in report["failed"] if each["file"].startswith("hub/") is there}
        for rule in sorted(set(excuses) - broken):
            yield Finding(__name__, f"{rule} is followed everywhere now; remove its excuse")


def report_on(folder: Path, cache: Path = CACHE) -> Mapping[str, Any]:
    """What checkov says of the Bicep files and ARM templates in a folder; from the cache when it has said so before."""
    tool = Tool("checkov")
    kept = cache / f"checkov-report-{_digest(folder, tool.digest)}.json"
    if not kept.exists():
        found = _ask(tool.program(), folder)
        for old in cache.glob("checkov-report-*.json"):
            old.unlink()
        new = kept.with_suffix(f".{os.getpid()}")
        new.write_text(json.dumps(found), encoding="utf-8")
        new.replace(kept)
    report = json.loads(kept.read_text(encoding="utf-8"))
    return report if isinstance(report, dict) else {}


def _digest(folder: Path, version: str) -> str:
    digest = hashlib.sha256(version.encode())
    for path in sorted((*folder.rglob("*.bicep"), *folder.rglob("*.json"))):
        digest.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:24]


def _ask(program: Path, folder: Path) -> dict[str, Any]:
    """Its findings, and from its bill of materials, which has every resource that it parsed, what it has seen."""
    outputs = ("--output", "json", "--output", "cyclonedx_json", "--skip-download")
    with TemporaryDirectory() as answers:
        command = [
            str(program),
            "-d",
            folder.name,
            "--framework",
            "bicep",
            "arm",
            *outputs,
            "--output-file-path",
            answers,
        ]
        ended = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_SECONDS, cwd=folder.parent
        )
        try:
            said = json.loads((Path(answers) / "results_json.json").read_text(encoding="utf-8"))
            materials = json.loads((Path(answers) / "results_cyclonedx.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RuntimeError(f"checkov answered what is no report: {ended.stderr[-300:]}") from error
    parts = [each["results"] for each in (said if isinstance(said, list) else [said]) if "results" in each]
    return {
        "failed": [_row(each) for part in parts for each in part.get("failed_checks", [])],
        "seen": sorted({name for each in materials["components"] for name in _seen(each, folder.name)}),
    }


def _seen(component: Mapping[str, Any], folder: str) -> Iterator[str]:
    path = str(component["purl"]).partition(f"cli_repo/{folder}/")[2].partition("@sha1:")[0]
    name = str(component["name"])
    if path.endswith(name):
        file = path.removesuffix(name).rstrip("/")
        yield file
        yield f"{file}: {name.rpartition('.')[2]}"


def _row(raw: Mapping[str, Any]) -> dict[str, str]:
    return {
        "file": str(raw["file_path"]).lstrip("/"),
        "resource": str(raw["resource"]),
        "rule": str(raw["check_id"]),
        "what": str(raw["check_name"]),
    }
