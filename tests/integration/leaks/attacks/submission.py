"""Ways by what is submitted to Azure ML: files beside the job, variables of its environment, fields of the order."""

from typing import Final

from tests.integration.leaks.attacks.attack import Attack
from tests.integration.leaks.attacks.programs import training

_MARK: Final = """
import os
with open("HOME_OF_VM/shadowed", "a") as file:
    file.write(f"{os.getcwd()} {__file__}\\n")
"""
_FAKE_PODMAN: Final = """\
#!/bin/sh
echo "$PWD $0 $@" >> HOME_OF_VM/shadowed
exit 0
"""
_MODULES: Final = (
    "numpy.py",
    "yaml.py",
    "json.py",
    "azureml/__init__.py",
    "azure/__init__.py",
    "sitecustomize.py",
    "usercustomize.py",
    "site_agent/__init__.py",
    "site_agent/job/__init__.py",
    "site_agent/job/__main__.py",
    "cryptography.py",
)
# Run by any Python before its first line, so also by the one that starts our three lines. Whoever may set variables of
# a job may submit another job.py as well; see docs/privacy.md. The job itself is isolated from both.
_OF_EVERY_PYTHON: Final = ("sitecustomize.py", "usercustomize.py")
_CONTAINERS: Final = '[engine]\nhooks_dir = ["SUBMITTED"]\n[containers]\nnetns = "host"\nvolumes = ["/:/host"]\n'

ATTACKS: Final = (
    Attack(
        name="modules-beside-the-job",
        train=training(""),
        beside=dict.fromkeys(_MODULES, _MARK),
        ends="completed",
        always=True,
    ),
    Attack(
        name="modules-in-the-code",
        train=training(""),
        code=dict.fromkeys([name for name in _MODULES if name != "json.py"], _MARK),
        ends="completed",
    ),
    Attack(
        name="path",
        train=training(""),
        beside={"podman": _FAKE_PODMAN, "nsenter": _FAKE_PODMAN, "cat": _FAKE_PODMAN, "newuidmap": _FAKE_PODMAN},
        variables={"PATH": ".:HOME_OF_VM/azureml:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
        ends="completed",
        always=True,
    ),
    Attack(
        name="python-variables",
        train=training(""),
        beside=dict.fromkeys([name for name in _MODULES if name not in _OF_EVERY_PYTHON], _MARK),
        variables={
            "PYTHONPATH": ".:code",
            "PYTHONSTARTUP": "sitecustomize.py",
            "PYTHONHOME": "",
            "PYTHONUSERBASE": ".",
            "PYTHONINSPECT": "1",
            "PYTHONVERBOSE": "1",
            "PYTHONWARNINGS": "always",
            "PYTHONBREAKPOINT": "site_agent.job",
        },
        ends="completed",
    ),
    Attack(
        name="engine-variables",
        train=training(
            'print("NET", os.listdir("/sys/class/net"))\nprint("HOST", os.path.exists("/host"))\n'
            'sys.exit("the host is here") if os.path.exists("/host") or len(os.listdir("/sys/class/net")) > 1 else None'
        ),
        beside={"containers.conf": _CONTAINERS, "auth.json": "{}", "storage.conf": "[storage]\n"},
        variables={
            "CONTAINERS_CONF": "containers.conf",
            "CONTAINERS_CONF_OVERRIDE": "containers.conf",
            "CONTAINERS_STORAGE_CONF": "storage.conf",
            "CONTAINER_HOST": "tcp://127.0.0.1:1",
            "DOCKER_HOST": "tcp://127.0.0.1:1",
            "HOME": "HOME_OF_VM/azureml",
            "XDG_CONFIG_HOME": ".",
            "XDG_RUNTIME_DIR": ".",
            "REGISTRY_AUTH_FILE": "auth.json",
            "TMPDIR": ".",
            "EDGETRAIN_RUN": "another-run",
        },
        ends="completed",
    ),
    Attack(
        name="proxy-variables",
        train=training('print("PROXY", [name for name in os.environ if "proxy" in name.lower()])'),
        variables={"all_proxy": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1", "NO_PROXY": "127.0.0.1"},
        ends="completed",
    ),
    Attack(
        name="outputs-that-are-submitted",
        train=training("model('table.csv', TEXT)"),
        beside={
            "outputs/receipt.json": "{}",
            "outputs/model/model.json": '{"w": 1}',
            "outputs/checksums.json": "{}",
            "logs/keep": "",
        },
        ends="failed",
        reason="may not leave",
    ),
    Attack(
        name="another-pipelines-container",
        train=training(""),
        order={"container": "another-pipeline"},
        ends="failed",
        tries=(),
        reason="containers",
    ),
    Attack(
        name="another-sites-data",
        train=training(""),
        order={"site": "laboratory"},
        ends="failed",
        tries=(),
        reason="site",
    ),
    Attack(
        name="an-image-from-elsewhere",
        train=training(""),
        order={"image": f"docker.io/scoring/x@sha256:{'a' * 64}"},
        ends="failed",
        tries=(),
        reason="registries",
    ),
    Attack(
        name="a-shell-as-command",
        train=training(""),
        order={"train": "sh -c 'cp -r ${{inputs.data}} ${{outputs.model}}; cat /edgetrain/data/landing/*; echo tried'"},
        ends="failed",
        reason="may not leave",
    ),
    Attack(
        name="parameters-as-arguments",
        train=training("print('ARGUMENTS', sys.argv)"),
        order={
            "train": "python train.py --data ${{inputs.data}} --model ${{outputs.model}} --x ${{parameters.x}}",
            "parameters": {"x": "1 --volume /:/host --network host; cat /etc/shadow $(id) `id`"},
        },
        ends="completed",
    ),
)
