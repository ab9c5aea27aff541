"""Whether a VM that was rebooted serves again by itself: what starts its containers and HAProxy, and what is missing.

Said when a VM is prepared, and by the doctor: the app puts back what a reboot took, but only once its reconciler looks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from shared.clients.ssh import SshSession
from shared.clients.vm_containers import ContainerEngine

SYSTEMD, RESTART, LINGER, HAPROXY = "systemd", "restart", "linger", "haproxy"

# $1 engine. Prints one fact a line; `systemctl` says "offline" where it is installed and systemd does not run.
_FACTS: Final = """\
running=$(systemctl is-system-running 2>/dev/null)
case "$running" in ''|offline|unknown) exit 0 ;; esac
echo systemd=yes
echo "user=$(id -un)"
if [ "$1" = podman ]; then
    if [ "$(id -u)" = 0 ]; then
        echo "restart=$(systemctl is-enabled podman-restart.service 2>/dev/null)"
    else
        echo "rootless=yes"
        echo "restart=$(systemctl --user is-enabled podman-restart.service 2>/dev/null)"
        echo "linger=$(loginctl show-user "$(id -un)" --property=Linger --value 2>/dev/null)"
    fi
else
    echo "restart=$(systemctl is-enabled docker.service 2>/dev/null)"
fi
units="systemctl list-unit-files --type=service --state=enabled --no-legend"
echo "haproxy=$($units 'haproxy*' 2>/dev/null | head -n 1)"
"""


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that a reboot takes. ``what``: one of the words above."""

    what: str
    found: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.found}; {self.remedy}"


def tell_what_a_reboot_takes(session: SshSession, *, say: Callable[[str], None]) -> None:
    """Say what is missing for the VM to serve again after a reboot; nothing when all is there."""
    engine = ContainerEngine(session, pull_username="", pull_password="").name
    for missing in what_a_reboot_takes(session, engine):
        say(f"{session.label}: {missing}")


def what_a_reboot_takes(session: SshSession, engine: str) -> list[Missing]:
    """What is missing for the VM to serve again after a reboot."""
    asked = session.expect(session.script(_FACTS, engine), "asking what starts at a reboot")
    return after_a_reboot(asked.stdout.decode("utf-8", "replace"), engine=engine)


def after_a_reboot(facts: str, *, engine: str) -> list[Missing]:
    """What is missing; ``facts``: lines ``name=value`` as the VM prints them."""
    known = dict(line.split("=", 1) for line in facts.splitlines() if "=" in line)
    if known.get("systemd") != "yes":
        starts = "podman start --all --filter restart-policy=always" if engine == "podman" else "the Docker daemon"
        return [Missing(SYSTEMD, "no systemd runs there", f"see to it that a reboot starts HAProxy and {starts}")]
    missing = []
    if known.get("restart") != "enabled":
        unit = "podman-restart.service" if engine == "podman" else "docker.service"
        scope = "--user " if known.get("rootless") else ""
        remedy = f"run there: systemctl {scope}enable --now {unit}"
        missing.append(Missing(RESTART, "after a reboot no container starts by itself", remedy))
    if known.get("rootless") and known.get("linger") != "yes":
        user = known.get("user", "")
        remedy = f"run there as root: loginctl enable-linger {user}"
        missing.append(Missing(LINGER, f"containers of {user} end with its last session", remedy))
    if not known.get("haproxy"):
        remedy = "enable its service: systemctl enable haproxy"
        missing.append(Missing(HAPROXY, "after a reboot HAProxy does not start by itself", remedy))
    return missing
