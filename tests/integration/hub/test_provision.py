"""What cloud-init lays on the hub's VM prepares it: run in a Debian, twice, half-way, and with what goes wrong."""

import importlib
import io
import itertools
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from cli.job_installation import JobSource, job_source
from infra.hub.job_bundle import write_bundle
from shared.clients.ssh import connected
from shared.errors import PermanentError
from site_agent.job.policy import parse_policy
from tests.integration.hub.conftest import POLICY, SERVING, TRAINING, PreparedVm, home_of, new_key
from tests.support.hub_root import HubRoot
from tests.support.service_process import eventually

pytestmark = pytest.mark.long
ROOT = Path(__file__).resolve().parents[3]
KEYS = "etc/edgetrain/keys/training.pub"


def test_without_a_package_mirror_it_says_so_and_goes_on_later(vm: PreparedVm) -> None:
    installs = "installed" in vm.first.stdout
    if installs:  # this machine had not all packages already
        assert vm.offline.returncode == 1
        assert "packages: cannot install" in vm.offline.stderr
        assert "edgetrain-provision" in vm.offline.stderr
    assert vm.root.shell("cat /etc/edgetrain/provision.status").strip() == "ready"


def test_run_again_it_changes_nothing(vm: PreparedVm) -> None:
    before = vm.root.state()
    again = vm.root.provision()

    assert again.returncode == 0, again.stderr
    assert "ready, 0 changes" in again.stdout
    assert vm.root.state() == before


def test_the_users_are_ordinary_ones(vm: PreparedVm) -> None:
    for user in (TRAINING, SERVING):
        facts = vm.root.shell(
            f"id -Gn {user}; getent shadow {user} | cut -d: -f2; stat -c '%a %U' {home_of(user)}; "
            f"awk -F: '$1 == \"{user}\" {{ print $3 }}' /etc/subuid /etc/subgid; ls /var/lib/systemd/linger/{user}; "
            f"cat /etc/sudoers /etc/sudoers.d/* 2>/dev/null | grep -c {user} || true"
        )
        assert facts.splitlines() == [
            user,
            "*",
            f"700 {user}",
            "65536",
            "65536",
            f"/var/lib/systemd/linger/{user}",
            "0",
        ]
    assert vm.root.run("runuser", "-u", TRAINING, "--", "ls", home_of(SERVING)).returncode != 0


def test_ids_for_containers_do_not_overlap(vm: PreparedVm) -> None:
    for kind in ("uid", "gid"):
        ranges = sorted(
            (int(first), int(first) + int(count))
            for _, first, count in (line.split(":") for line in vm.root.shell(f"cat /etc/sub{kind}").split())
        )
        assert all(earlier[1] <= later[0] for earlier, later in itertools.pairwise(ranges)), ranges


def test_ssh_takes_keys_only_and_from_nobody_but_the_administrator(vm: PreparedVm) -> None:
    effective = vm.root.shell(f"sshd -T -C user={TRAINING},host=h,addr=192.0.2.1").splitlines()

    for line in (
        "passwordauthentication no",
        "kbdinteractiveauthentication no",
        "permitrootlogin no",
        "authenticationmethods publickey",
        "allowtcpforwarding local",
        "permitopen 127.0.0.1:*",
        "authorizedkeysfile /etc/ssh/edgetrain/%u",
    ):
        assert line in effective
    assert vm.root.shell("stat -c '%a %U' /etc/ssh/edgetrain/*").split("\n")[:2] == ["644 root", "644 root"]


def test_each_key_opens_its_own_account_and_the_shell_is_silent(vm: PreparedVm) -> None:
    with connected(vm.host(TRAINING, "training")) as session:
        seen = session.script('echo "$(id -un) $HOME"; podman --version; command -v flock nsenter python3.11')
        assert seen.status == 0, seen.said
        assert seen.stdout.decode().splitlines()[0] == f"{TRAINING} {home_of(TRAINING)}"
    with connected(vm.host(SERVING, "serving")) as session:
        assert session.script("true").stderr == ""
    for user, key in ((TRAINING, "serving"), (SERVING, "training"), ("root", "training")):
        with pytest.raises(PermanentError, match="refuses the key"), connected(vm.host(user, key)):
            pass


def test_the_policy_is_the_sites_own_and_stays_as_it_is_edited(vm: PreparedVm) -> None:
    path = f"{home_of(TRAINING)}/edgetrain/policy.yaml"
    text = vm.root.shell(f"cat {path}")
    assert parse_policy(text.encode(), file=path).registries == ("registry.example",)
    assert text == POLICY
    assert vm.root.shell(f"stat -c '%a %U' {path}").strip() == f"600 {TRAINING}"

    vm.root.shell(f"echo '# ours' >> {path}")
    assert vm.root.provision().returncode == 0
    assert vm.root.shell(f"cat {path}").endswith("# ours\n")


def test_haproxy_serves_as_an_ordinary_user_who_reloads_it(vm: PreparedVm) -> None:
    with haproxy(vm.root), connected(vm.host(SERVING, "serving")) as session:
        assert session.script("curl -fsS http://127.0.0.1:18080/healthz >/dev/null").status == 0
        modes = session.script("stat -c '%a %U' -L serving/haproxy.sock /run/edgetrain-haproxy/master.sock")
        assert modes.stdout.decode().splitlines() == [f"600 {SERVING}"] * 2
        session.write_text("serving/conf.d/tried.cfg", "frontend tried\n  mode http\n  bind 127.0.0.1:28199\n")
        reloaded = session.script("./bin/reload-haproxy")
        assert reloaded.status == 0, reloaded.said
        assert session.script("curl -sS -o /dev/null http://127.0.0.1:28199/").status == 0
        session.write_text("serving/conf.d/tried.cfg", "nonsense\n")
        assert session.script("./bin/reload-haproxy").status == 1
        session.script("rm serving/conf.d/tried.cfg")
    units = vm.root.shell("systemctl is-enabled haproxy-edgetrain haproxy || true").split()
    assert units == ["enabled", "masked"]  # also where the image had it


@contextmanager
def haproxy(root: HubRoot) -> Iterator[None]:
    """As its unit starts it; systemd is not there."""
    unit = root.shell("cat /etc/systemd/system/haproxy-edgetrain.service")
    settings = dict(line.split("=", 1) for line in unit.splitlines() if "=" in line)
    assert (settings["User"], settings["RuntimeDirectory"]) == (SERVING, "edgetrain-haproxy")
    root.shell(f"install -d -m 700 -o {SERVING} -g {SERVING} /run/edgetrain-haproxy")
    words = settings["ExecStart"].replace("-Ws", "-W").split()
    process = subprocess.Popen(root.command("runuser", "-u", SERVING, "--", *words), stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: root.at("run/edgetrain-haproxy/master.sock").exists() or process.poll() is not None)
        assert process.poll() is None
        yield
    finally:
        process.terminate()
        process.wait(timeout=120)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no public key for user edgetrain"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\n", "holds a private key"),
        ("ssh-ed25519 AAAA nonsense\n", "no public key in OpenSSH's form"),
        ("PuTTY-User-Key-File-3: ssh-ed25519\n", "no public key in OpenSSH's form"),
    ],
)
def test_a_wrong_key_changes_nothing_and_is_named(vm: PreparedVm, text: str, said: str) -> None:
    file = vm.root.at(KEYS)
    before = file.read_text()
    file.write_text(text)
    try:
        done = vm.root.provision()
        assert (done.returncode, vm.root.shell(f"cat /etc/ssh/edgetrain/{TRAINING}")) == (1, before)
        assert said in done.stderr
        assert said in vm.root.shell("cat /etc/edgetrain/provision.status")
    finally:
        file.write_text(before)
    assert "ready, 0 changes" in vm.root.provision().stdout


def test_a_key_that_was_rotated_is_the_only_one_from_then_on(vm: PreparedVm, tmp_path: Path) -> None:
    file = vm.root.at(KEYS)
    before = file.read_text()
    file.write_text(new_key(tmp_path, "rotated"))
    rotated = replace(vm, keys=tmp_path)
    assert "ready, 1 changes" in vm.root.provision().stdout
    with connected(rotated.host(TRAINING, "rotated")):
        pass
    with pytest.raises(PermanentError, match="refuses the key"), connected(vm.host(TRAINING, "training")):
        pass
    file.write_text(before)
    assert "ready, 1 changes" in vm.root.provision().stdout


def test_the_job_is_installed_from_its_bundle_and_a_newer_one_stays(vm: PreparedVm) -> None:
    source = job_source(ROOT)
    bundle = write_bundle(source, vm.root.at("job.tar"))
    built_before(vm.root, source)
    settings = (vm.root.at("etc/edgetrain/hub.env")).read_text()
    vm.root.settle("JOB_URL", "file:///job.tar")
    vm.root.settle("JOB_KEY", source.key)
    vm.root.settle("JOB_SHA256", "0" * 64)
    try:
        refused = vm.root.provision()
        assert refused.returncode == 1
        assert "is not the file with SHA-256" in refused.stderr

        vm.root.settle("JOB_SHA256", bundle.sha256)
        done = vm.root.provision()
        assert done.returncode == 0, done.stderr
        assert f"installed the job {source.key}" in done.stdout
        with connected(vm.host(TRAINING, "training")) as session:
            job = "edgetrain/job/current/bin/python -I -m site_agent.job"
            assert session.script(f"{job} --help").status == 0
            shown = session.script(f"{job} key")
            assert "BEGIN PUBLIC KEY" in shown.stdout.decode(), shown.said
            assert session.script("stat -c %a edgetrain/keys/site.pem").stdout == b"600\n"
            session.script("ln -sfn newer edgetrain/job/current")
        assert "ready, 0 changes" in vm.root.provision().stdout
    finally:
        (vm.root.at("etc/edgetrain/hub.env")).write_text(settings)


def built_before(root: HubRoot, source: JobSource) -> None:
    """As an installation leaves it that ended before it switched; with those libraries of the tests that it needs."""
    place = f"{home_of(TRAINING)}/edgetrain/job"
    root.shell(f"python3.11 -m venv --without-pip {place}/{source.key}")
    packages = root.at(f"{place}/{source.key}/lib/python3.11/site-packages")
    for name in ("cryptography", "cffi", "yaml"):
        shutil.copytree(Path(str(importlib.import_module(name).__file__)).parent, packages / name)
    shutil.copy(str(importlib.import_module("_cffi_backend").__file__), packages)
    with tarfile.open(fileobj=io.BytesIO(source.tar())) as archive:
        archive.extractall(packages, filter="data")
    root.shell(f"chown -R {TRAINING}:{TRAINING} {place}")


def test_credentials_of_a_site_are_the_training_users_alone(vm: PreparedVm) -> None:
    text = "BlobEndpoint=https://hub.example/;SharedAccessSignature=sv=2019-07-07&sig=canary"
    given = vm.root.run("edgetrain-grant-site", "factory", stdin=text)
    assert given.returncode == 0, given.stderr
    assert "canary" not in given.stdout + given.stderr
    with connected(vm.host(TRAINING, "training")) as session:
        kept = session.script(
            "stat -c '%a %U' .config/edgetrain/sites/factory.json; cat .config/edgetrain/sites/*.json"
        )
    assert kept.stdout.decode().startswith(f"600 {TRAINING}\n")
    assert "canary" in kept.stdout.decode()
    for site, stdin in (("../x", text), ("factory", "two\nlines=1"), ("factory", "")):
        assert vm.root.run("edgetrain-grant-site", site, stdin=stdin).returncode != 0
    assert vm.root.shell(f"ls -A {home_of(TRAINING)}/.config/edgetrain/sites").split() == ["factory.json"]


def test_links_that_a_user_plants_lead_root_nowhere(vm: PreparedVm) -> None:
    sites, program = f"{home_of(TRAINING)}/.config/edgetrain/sites", f"{home_of(SERVING)}/bin/reload-haproxy"
    vm.root.shell(f"echo precious > /etc/victim; ln -s /etc/victim {sites}/planted.json")
    vm.root.shell(f"mv {program} {program}.kept; ln -s /etc/victim {program}")
    vm.root.shell(f"mv {sites} {sites}.kept; ln -s /etc {sites}")
    try:
        assert vm.root.run("edgetrain-grant-site", "planted", stdin="BlobEndpoint=https://hub.example/").returncode != 0
        vm.root.shell(f"rm {sites}; mv {sites}.kept {sites}")
        assert vm.root.run("edgetrain-grant-site", "planted", stdin="BlobEndpoint=https://hub.example/").returncode == 0
        assert "ready, 1 changes" in vm.root.provision().stdout
        assert vm.root.shell(f"stat -c '%a %U' /etc/victim; cat /etc/victim; cmp {program} {program}.kept") == (
            "644 root\nprecious\n"
        )
        assert vm.root.shell("ls -A /etc | grep -c planted || true") == "0\n"
    finally:
        vm.root.shell(f"mv {program}.kept {program}; rm -f /etc/victim {sites}/planted.json")
