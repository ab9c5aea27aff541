"""cloud-init itself, run in a root of :mod:`tests.support.hub_root`: what its four services call at each boot.

It has no network, leaves the machine's disks alone, and whatever name it gives the VM is that root's only.
"""

import json
from pathlib import Path

from tests.support.hub_root import HubRoot

STAGES = (("init", "--local"), ("init",), ("modules", "--mode=config"), ("modules", "--mode=final"))
DOCUMENT = "var/lib/cloud/seed/nocloud/user-data"
OWN_FOLDERS = ("var/lib/cloud", "var/log", "run")
"""Where it notes at each boot what it did."""

HOSTNAME = "hub-vm"
_OF_THE_MACHINE = ("/etc/hosts", "/etc/resolv.conf", "/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt")
_CONFIGURATION = """\
datasource_list: [NoCloud]
network: {config: disabled}
locale: C.UTF-8
growpart: {mode: "off"}
resize_rootfs: false
"""
_PACKAGES = "cloud-init openssh-server systemd"
_INSTALL = "apt-get install -qy --no-install-recommends --no-upgrade -o Acquire::Retries=0 -o Acquire::http::Timeout=20"


def why_not_installed(root: HubRoot) -> str:
    """Install cloud-init in the root, with what images for VMs have besides; says it when no mirror gives them."""
    reach_what_the_machine_reaches(root)
    root.at("var/lib/man-db/auto-update").unlink(missing_ok=True)  # only to be quicker
    fetch = f"{_INSTALL} --download-only {_PACKAGES}"
    fetched = root.run("sh", "-c", f"{fetch} || {{ apt-get update -q && {fetch}; }}")
    if fetched.returncode != 0:
        said = [line for line in fetched.stderr.splitlines() if line.startswith("E:")]
        return f"needs a package mirror that has cloud-init: {' '.join(said[-2:])}"
    root.shell(f"DEBIAN_FRONTEND=noninteractive {_INSTALL} {_PACKAGES}")
    root.shell("rm -rf /var/lib/cloud")  # where the machine booted by it
    return ""


def reach_what_the_machine_reaches(root: HubRoot) -> None:
    """Names, authorities and the package index, where the machine has settings for them."""
    for name in _OF_THE_MACHINE:
        if Path(name).exists():
            file = root.at(name)
            file.unlink(missing_ok=True)  # a link would lead out of the root
            file.write_bytes(Path(name).read_bytes())


def seed(root: HubRoot, document: str) -> None:
    """Put the document where cloud-init looks for it, and let it check the document by its schema."""
    file = root.at(DOCUMENT)
    file.parent.mkdir(parents=True)
    file.parent.chmod(0o700)  # as the folder is in which Azure's agent keeps it
    file.write_text(document)
    (file.parent / "meta-data").write_text(f"instance-id: {HOSTNAME}\nlocal-hostname: {HOSTNAME}\n")
    root.at("etc/cloud/cloud.cfg.d/99_tests.cfg").write_text(_CONFIGURATION)
    root.shell(f"cloud-init schema --config-file /{DOCUMENT}")


def boot(root: HubRoot) -> None:
    """One boot: every stage ends well, and none notes an error or a setting that its schema does not know."""
    root.shell("rm -rf /run/cloud-init")  # a reboot empties /run
    for stage in STAGES:
        done = root.run("cloud-init", *stage, network=False)
        assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(root.at("run/cloud-init/result.json").read_text())
    assert result["v1"]["errors"] == []
    assert "NoCloud" in result["v1"]["datasource"]
    assert "Invalid cloud-config" not in root.shell("cat /var/log/cloud-init.log")
