import pytest

from shared.clients.vm_reboot import after_a_reboot

ROOTFUL = "systemd=yes\nuser=root\nrestart=enabled\nhaproxy=haproxy.service enabled enabled\n"
ROOTLESS = "systemd=yes\nuser=edge\nrootless=yes\nrestart=enabled\nlinger=yes\nhaproxy=haproxy-edge.service enabled\n"


@pytest.mark.parametrize("facts", [ROOTFUL, ROOTLESS])
def test_nothing_is_missing(facts: str) -> None:
    assert after_a_reboot(facts, engine="podman") == []


@pytest.mark.parametrize(
    ("facts", "engine", "remedies"),
    [
        (ROOTFUL.replace("restart=enabled", "restart=disabled"), "podman", ["systemctl enable --now podman-restart"]),
        (ROOTFUL.replace("restart=enabled", "restart="), "docker", ["systemctl enable --now docker.service"]),
        (ROOTLESS.replace("linger=yes", "linger=no"), "podman", ["loginctl enable-linger edge"]),
        (
            ROOTLESS.replace("restart=enabled", "restart=disabled").replace(
                "haproxy=haproxy-edge.service enabled", "haproxy="
            ),
            "podman",
            ["systemctl --user enable --now podman-restart", "systemctl enable haproxy"],
        ),
        ("", "podman", ["podman start --all --filter restart-policy=always"]),
        ("", "docker", ["the Docker daemon"]),
    ],
)
def test_what_is_missing_has_a_remedy(facts: str, engine: str, remedies: list[str]) -> None:
    found = after_a_reboot(facts, engine=engine)
    assert len(found) == len(remedies)
    assert all(remedy in str(sentence) for remedy, sentence in zip(remedies, found, strict=True))
