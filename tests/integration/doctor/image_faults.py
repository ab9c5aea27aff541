"""What can be wrong with the registry, with keys that sign, and with a target in the cloud."""

import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
import yaml

from local_stack.registry import distribution
from local_stack.stack_hub.site_keys import ensure_key
from shared.doctor import State
from shared.training_code.job_folders import JobFolders
from shared.training_code.scoring_images import scoring_parts
from tests.integration.doctor.hub_faults import nothing
from tests.integration.doctor.lab import Fault, Lab
from tests.integration.doctor.vm_faults import COMPUTE
from tests.support.serving_host import free_port, wait_for

Changes = Mapping[str, str]
REGISTRY, SIGNING = "EDGETRAIN_CONTAINER_REGISTRY__", "EDGETRAIN_SIGNING__"
CLOUD = "EDGETRAIN_TARGETS__CLOUD__"
WRONG, UNKNOWN = State.WRONG, State.UNKNOWN


@contextmanager
def pulls_only(lab: Lab) -> Iterator[Changes]:
    """The app was given the credentials of those who only pull."""
    registry = lab.stack.endpoints["container_registry"]
    yield {f"{REGISTRY}USERNAME": registry["pull_username"], f"{REGISTRY}PASSWORD": registry["pull_password"]}


@contextmanager
def vm_may_push(lab: Lab) -> Iterator[Changes]:
    registry = lab.stack.endpoints["container_registry"]
    yield {f"{COMPUTE}PULL_USERNAME": registry["username"], f"{COMPUTE}PULL_PASSWORD": registry["password"]}


@contextmanager
def read_only(lab: Lab) -> Iterator[Changes]:
    """A registry of the same kind that takes nothing for the time of its maintenance."""
    password = "a-password-of-the-maintained-one"
    address = f"127.0.0.1:{free_port()}"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        users = dict.fromkeys(("app", "puller"), password)
        distribution.configure(folder, address=address, users=users, secret="test")
        settings = yaml.safe_load((folder / "config.yml").read_text(encoding="utf-8"))
        settings["storage"]["maintenance"] = {"readonly": {"enabled": True}}
        (folder / "config.yml").write_text(yaml.safe_dump(settings), encoding="utf-8")
        process = subprocess.Popen(distribution.command(folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for(lambda: requests.get(f"http://{address}/v2/", timeout=2).status_code == 401, "registry")
            changes = {"URL": f"http://{address}", "USERNAME": "app", "PASSWORD": password}
            pull = {"PULL_USERNAME": "puller", "PULL_PASSWORD": password}
            parts = (COMPUTE, "EDGETRAIN_TARGETS__HUB_VM__", CLOUD)
            yield {
                **{f"{REGISTRY}{field}": text for field, text in changes.items()},
                **{f"{part}{field}": text for part in parts for field, text in pull.items()},
            }
        finally:
            process.terminate()
            process.wait(timeout=120)


def setting(name: str, text: str) -> Any:
    @contextmanager
    def plant(lab: Lab) -> Iterator[Changes]:
        yield {name: text}

    return plant


def at_closed_port(name: str, form: str) -> Any:
    @contextmanager
    def plant(lab: Lab) -> Iterator[Changes]:
        with nothing() as port:
            yield {name: form.format(port)}

    return plant


def another_key(*, trusted: bool) -> Any:
    """The app signs with a new key; ``trusted``: the new one only."""

    @contextmanager
    def plant(lab: Lab) -> Iterator[Changes]:
        with tempfile.TemporaryDirectory() as folder:
            private = Path(folder) / "key.pem"
            public = ensure_key(private)
            yield {
                f"{SIGNING}PRIVATE_KEY_FILE": str(private),
                **({f"{SIGNING}TRUSTED_KEYS": public} if trusted else {}),
            }

    return plant


@contextmanager
def lost_image(lab: Lab) -> Iterator[Changes]:
    """Somebody tidied up in the registry."""
    name = scoring_parts(JobFolders(lab.app_root).read("breast_cancer")).dependency_image
    with lab.registry as registry:
        kept = registry.get_manifest(name.repository, name.reference)
        assert kept is not None
        registry.delete_manifest(name.repository, kept.digest)
        try:
            yield {}
        finally:
            registry.put_manifest(name.repository, name.reference, kept.body, media_type=kept.media_type)


FAULTS = (
    Fault("the app may not push", "registry", {"registry.rights": WRONG, "registry.retention": WRONG}, pulls_only),
    Fault("the VM may push", "registry", {"compute.pull_user": WRONG}, vm_may_push),
    Fault("the registry is read-only", "registry", {"registry.rights": WRONG, "registry.retention": WRONG}, read_only),
    Fault(
        "the registry does not know the app",
        "registry",
        {"registry.rights": WRONG},
        setting(f"{REGISTRY}PASSWORD", "the-password-of-last-year"),
    ),
    Fault(
        "the VM's password has changed",
        "registry",
        {"compute.pull_user": WRONG},
        setting(f"{COMPUTE}PULL_PASSWORD", "of-last-year"),
    ),
    Fault("nobody trusts the key that signs", "images", {"signing.key": WRONG}, another_key(trusted=False)),
    Fault(
        "the key of the images is not trusted any more", "images", {"image.signed": WRONG}, another_key(trusted=True)
    ),
    Fault(
        "there is no key to sign with",
        "images",
        {"signing.key": WRONG},
        setting(f"{SIGNING}PRIVATE_KEY_FILE", "/nowhere"),
    ),
    Fault("the base image is lost", "images", {"image.there": WRONG}, lost_image),
    Fault(
        "Azure does not take the secret of the target",
        "targets",
        {"target.reached": WRONG},
        setting(f"{CLOUD}CLIENT_SECRET", "the-secret-of-last-year"),
    ),
    Fault(
        "Azure Resource Manager is down",
        "targets",
        {"target.reached": UNKNOWN},
        at_closed_port(f"{CLOUD}URL", "https://127.0.0.1:{}"),
    ),
)
