"""Checks of what serves: VMs over one SSH session each, container apps at Azure Resource Manager."""

from typing import Any, Final

from function_app.composition import Services
from function_app.doctor import vm_judgements as judged
from function_app.doctor.clocks import MOST_SKEW
from function_app.doctor.machines import VM, Machines, served_by
from shared.clients.registry_address import registry_host
from shared.doctor import Check, Kind, Seen, ok, skipped

_SECONDS: Final = 40.0


def checks(only: frozenset[str] | None = None) -> tuple[Check[Services], ...]:
    """The checks, for one examination; ``only``: the pipelines that targets are looked at for, None for all."""
    machines = Machines(only)
    on = machines.on_target

    def check(name: str, look: Any, *, wanted: str, why: str, remedy: str) -> Check[Services]:
        return Check(
            name=f"target.{name}",
            about=Kind.TARGET,
            wanted=wanted,
            why=why,
            remedy=remedy,
            look=look,
            seconds=_SECONDS,
        )

    def reached(services: Services, name: str) -> Seen:
        if services.settings.target(name).kind == VM:
            return judged.login(machines.target(services, name))
        return _observed(services, name)

    return (
        check(
            "reached",
            reached,
            wanted="the app reaches the target and may look at it",
            why="a model that was promoted would not be delivered",
            remedy="see that it is up and reached from the app, and check the target's settings",
        ),
        check(
            "clock",
            on(lambda facts, *_: judged.clock(facts)),
            wanted=f"its clock and the app's differ by less than {MOST_SKEW:.0f} s",
            why="how long a candidate has been well is told by the clock",
            remedy="run there as root: timedatectl set-ntp true",
        ),
        check(
            "engine",
            on(lambda facts, *_: judged.serving_engine(facts)),
            wanted="podman or docker works for the user",
            why="models are served from containers",
            remedy="install podman there; docs/serving-vm.md says what it needs",
        ),
        check(
            "disk",
            on(lambda facts, *_: judged.disk(facts, ["1g"])),
            wanted="at least 1 GiB is free",
            why="the next image would not fit",
            remedy="make room there: podman image prune, or a larger disk",
        ),
        check(
            "haproxy",
            on(lambda facts, *_: judged.haproxy(facts)),
            wanted="HAProxy 2.4 or newer answers at its socket",
            why="it is what clients reach, and what moves traffic from one model to the next",
            remedy="start HAProxy there with a socket at ~/serving/haproxy.sock: docs/serving-vm.md",
        ),
        check(
            "haproxy_socket",
            on(lambda facts, *_: judged.socket(facts)),
            wanted="HAProxy's socket is the user's alone, mode 600",
            why="who may write to it decides which model answers",
            remedy="say mode 600 in the line stats socket of HAProxy's configuration, and reload it",
        ),
        check(
            "after_reboot",
            on(lambda facts, *_: judged.after_reboot(facts)),
            wanted="containers and HAProxy start by themselves",
            why="after a reboot nothing is served until the app looks at the target again",
            remedy="docs/serving-vm.md says what starts them",
        ),
        check(
            "slots",
            on(lambda facts, services, name: judged.slots(facts, [each.name for each in served_by(services, name)])),
            wanted="each pipeline has its slot there",
            why="a model of a pipeline without one cannot be delivered",
            remedy="run: edgetrain prepare-vm",
        ),
        check(
            "orphans",
            on(
                lambda facts, services, _: judged.orphans(
                    facts,
                    [each.name for each in services.pipelines.all],
                    registry_host(services.settings.container_registry.url),
                )
            ),
            wanted="no containers or images are there of pipelines that are not deployed",
            why="they take memory and room, and answer with a model that nobody looks after",
            remedy="remove them there",
        ),
    )


def _observed(services: Services, name: str) -> Seen:
    """Whether the app may look at what a pipeline serves there."""
    served = served_by(services, name)
    if not served:
        return skipped("no pipeline is served there")
    serving = services.targets.open(name).observe(served[0].name)
    return ok(f"{len(serving.releases)} releases of {served[0].name} are there")
