"""Whether a VM that was rebooted serves again by itself: what starts its containers and HAProxy, and what is missing.

Checked when a VM is prepared, and only said: the app puts back what a reboot took, but not before its reconciler looks.
"""

from collections.abc import Callable
from typing import Final

from shared.clients.ssh import SshSession
from shared.clients.vm_containers import ContainerEngine

SYSTEMD: Final = "/run/systemd/system"

# $1 engine, $2 the folder that is there where systemd runs. Prints one fact a line; sd_booted(3) has the second.
_FACTS: Final = """\
[ -d "$2" ] || exit 0
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


def tell_what_a_reboot_takes(session: SshSession, *, say: Callable[[str], None], systemd: str = SYSTEMD) -> None:
    """Say what is missing for the VM to serve again after a reboot; nothing when all is there."""
    engine = ContainerEngine(session, pull_username="", pull_password="").name
    asked = session.expect(session.script(_FACTS, engine, systemd), "asking what starts at a reboot")
    for missing in after_a_reboot(asked.stdout.decode("utf-8", "replace"), engine=engine):
        say(f"{session.label}: {missing}")


def after_a_reboot(facts: str, *, engine: str) -> list[str]:
    """What is missing, a sentence with its remedy each; ``facts``: lines ``name=value`` as the VM prints them."""
    known = dict(line.split("=", 1) for line in facts.splitlines() if "=" in line)
    if known.get("systemd") != "yes":
        starts = "podman start --all --filter restart-policy=always" if engine == "podman" else "the Docker daemon"
        return [f"no systemd runs there: see to it that a reboot starts HAProxy and {starts}"]
    missing = []
    if known.get("restart") != "enabled":
        unit = "podman-restart.service" if engine == "podman" else "docker.service"
        scope = "--user " if known.get("rootless") else ""
        missing.append(f"after a reboot no container starts by itself; run there: systemctl {scope}enable --now {unit}")
    if known.get("rootless") and known.get("linger") != "yes":
        user = known.get("user", "")
        missing.append(
            f"containers of {user} end with its last session; run there as root: loginctl enable-linger {user}"
        )
    if not known.get("haproxy"):
        missing.append("after a reboot HAProxy does not start by itself; enable its service: systemctl enable haproxy")
    return missing
