"""The VM's custom data: what is in it, and what is refused before it goes anywhere."""

import base64
import gzip
import io
import json
import re
import shlex
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from cli.job_installation import job_source
from infra.hub import __main__ as program
from infra.hub.custom_data import MOST_BYTES, VM_FILES, Download, VmPlan, custom_data, files
from infra.hub.job_bundle import read_bundle, write_bundle
from local_stack.stack_hub.haproxy import HaProxy
from local_stack.stack_hub.vm import Vm
from shared.errors import PermanentError
from shared.serving.haproxy import BUFFER_BYTES
from site_agent.job.policy import load_policy, parse_policy

ROOT = Path(__file__).resolve().parents[3]
PRIVATE = Ed25519PrivateKey.generate()
PEM = PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
KEY = PRIVATE.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
PLAN = VmPlan(training_key=KEY, serving_key=KEY, policy=(VM_FILES / "policy.yaml").read_text())


def laid(text: str) -> dict[str, tuple[str, bytes]]:
    """By path, the mode and content of the files of a cloud-init document."""
    found = {}
    for each in yaml.safe_load(text)["write_files"]:
        assert each.keys() == {"path", "permissions", "encoding", "content"}
        assert each["encoding"] == "gz+b64"
        found[each["path"]] = (each["permissions"], gzip.decompress(base64.b64decode(each["content"])))
    return found


def test_it_lays_the_files_of_this_repository_and_starts_the_preparation() -> None:
    text = custom_data(PLAN)
    assert text.startswith("#cloud-config\n")
    found = laid(text)
    assert found["/usr/local/sbin/edgetrain-provision"] == ("0755", (VM_FILES / "provision.sh").read_bytes())
    assert found["/etc/edgetrain/hub.env"][0] == "0600"
    assert found["/etc/edgetrain/keys/training.pub"][1].decode() == KEY + "\n"
    document = yaml.safe_load(text)
    assert document["ssh_pwauth"] is False
    assert ["systemctl", "start", "edgetrain-provision.service"] in document["runcmd"]
    assert custom_data(PLAN) == text


def test_every_file_of_the_folder_goes_somewhere() -> None:
    sources = {each.content for each in files(PLAN)}
    for path in VM_FILES.iterdir():
        if path.is_file() and path.name != "__init__.py":
            assert path.read_bytes() in sources, path.name


def test_there_is_room_for_a_large_policy_and_a_larger_one_is_refused() -> None:
    rule = "  p{}: {{site: factory, containers: [c{}], prefixes: [landing/]}}\n"
    many = "registries: [r.example]\npipelines:\n" + "".join(rule.format(n, n) for n in range(200))
    assert len(custom_data(replace(PLAN, policy=many))) < MOST_BYTES
    noise = "\n".join(f"# {Ed25519PrivateKey.generate().private_bytes_raw().hex()}" for _ in range(2000))
    with pytest.raises(PermanentError, match="shorten the policy"):
        custom_data(replace(PLAN, policy=f"{many}{noise}\n"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"training_key": PEM}, "is a private key; give its public half"),
        ({"serving_key": "ssh-ed25519 AAAA"}, "the key for serving is no public key"),
        ({"serving_key": ""}, "the key for serving is no public key"),
        ({"training_key": "PuTTY-User-Key-File-3: ssh-ed25519"}, "no public key"),
        ({"training_user": "root"}, "not root"),
        ({"training_user": "a b"}, "no name for a user"),
        ({"serving_user": "edgetrain"}, "users of their own"),
        ({"data_disk": "lun0"}, "no disk"),
        ({"policy": "registries: nonsense"}, "registries"),
        ({"policy": ":"}, "policy.yaml"),
        ({"job": Download(url="https://x", sha256="12")}, "no SHA-256"),
        ({"job": Download(url="https://x", sha256="0" * 64)}, "key of the job is missing"),
    ],
)
def test_what_is_wrong_is_said_before_a_vm_is_made(changes: dict[str, object], said: str) -> None:
    with pytest.raises(PermanentError, match=re.escape(said)) as refused:
        custom_data(replace(PLAN, **changes))  # type: ignore[arg-type]
    assert PEM.splitlines()[1] not in str(refused.value)


def test_settings_are_data_to_the_shell_whatever_they_hold(tmp_path: Path) -> None:
    url = "https://hub.example/job.tar?sig=a'b$(touch x)&sv=1"
    plan = replace(PLAN, job=Download(url=url, sha256="0" * 64), job_key="k")
    [settings] = [each for each in files(plan) if each.path.endswith("hub.env")]
    (tmp_path / "hub.env").write_bytes(settings.content)
    command = ["sh", "-euc", '. ./hub.env; printf %s "$JOB_URL"']
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == url
    assert [path.name for path in tmp_path.iterdir()] == ["hub.env"]


def test_the_policy_that_is_laid_without_another_one_allows_nothing() -> None:
    policy = parse_policy((VM_FILES / "policy.yaml").read_bytes(), file="policy.yaml")
    assert (policy.registries, dict(policy.pipelines)) == ((), {})


def test_the_local_stacks_vm_is_prepared_with_the_same_files(tmp_path: Path) -> None:
    vm = Vm(tmp_path / "vm", tmp_path / "run", 2222)
    vm.configure({}, marker={})
    HaProxy(vm.etc, vm.home, tmp_path / "run", 18080).configure()
    server = (vm.etc / "sshd_config").read_text()
    assert (VM_FILES / "sshd_common.conf").read_text() in server
    balancer = (vm.etc / "haproxy.cfg").read_text()
    assert f"tune.bufsize {BUFFER_BYTES}\n" in balancer
    wrapper = (vm.home / "bin/reload-haproxy").read_text()
    assert str(VM_FILES / "reload_haproxy.py") in shlex.split(wrapper.splitlines()[-1])
    assert "@" not in balancer + wrapper


def test_a_bundle_is_what_prepare_vm_sends_and_the_same_each_time(tmp_path: Path) -> None:
    source = job_source(ROOT)
    first = write_bundle(source, tmp_path / "a.tar")
    again = write_bundle(source, tmp_path / "b.tar")
    assert (first.key, first.sha256) == (source.key, again.sha256) == (again.key, read_bundle(first.file).sha256)
    with tarfile.open(first.file) as archive:
        members = {each.name: archive.extractfile(each) for each in archive}
        described = json.load(members["installation.json"])  # type: ignore[arg-type]
        sources = members["sources.tar"]
        assert sources is not None
        with tarfile.open(fileobj=io.BytesIO(sources.read())) as inner:
            assert "site_agent/job/__main__.py" in inner.getnames()
    assert described["home"] == "@HOME@"
    (tmp_path / "c.tar").write_text("nonsense")
    with pytest.raises(PermanentError, match="no bundle of the job"):
        read_bundle(tmp_path / "c.tar")


def test_the_program_writes_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "key.pub").write_text(KEY)
    job = str(tmp_path / "job.tar")
    assert program.main(["job", "--out", job]) == 0
    out = tmp_path / "cloud-init.yaml"
    keys = ["--training-key", str(tmp_path / "key.pub"), "--serving-key", str(tmp_path / "key.pub")]
    url = ["--job-url", "https://hub.example/job.tar", "--job-file", job]
    assert program.main(["custom-data", *keys, *url, "--out", str(out)]) == 0
    digest = read_bundle(Path(job)).sha256
    assert digest in capsys.readouterr().out
    assert digest in laid(out.read_text())["/etc/edgetrain/hub.env"][1].decode()

    (tmp_path / "key.pub").write_text(PEM)
    assert program.main(["custom-data", *keys, "--out", str(out)]) == 1
    assert "private key" in capsys.readouterr().err
    assert program.main(["custom-data", *keys, *url[:2], "--out", str(out)]) == 1
    assert program.main(["custom-data", "--training-key", "none", "--serving-key", "none", "--out", str(out)]) == 1


def test_a_policy_that_others_may_write_is_refused_by_the_job(tmp_path: Path) -> None:
    [policy] = [each for each in files(PLAN) if each.path.endswith("policy.yaml")]
    file = tmp_path / "policy.yaml"
    file.write_bytes(policy.content)
    file.chmod(0o600)
    assert load_policy(file).keep_runs == 3
