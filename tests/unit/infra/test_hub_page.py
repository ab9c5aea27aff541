"""What docs/deploy-hub.md has a reader copy and no other test runs: the policy, and the values for later commands."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from infra.hub.custom_data import HERE
from shared.pipelines import Pipelines
from site_agent.job.policy import PolicyRefusedError, load_policy
from tests.support.documents import ROOT, blocks
from tests.support.job_orders import parsed_order

PAGE = ROOT / "docs" / "deploy-hub.md"
REGISTRY = "edgetrain.azurecr.io"


def block_with(text: str) -> str:
    """The one shell block of the page that has this text."""
    (found,) = [each.body for each in blocks(PAGE) if text in each.body]
    return found


def run(script: str, home: Path) -> str:
    """What bash prints; its home is ``home``."""
    (home / "edgetrain-hub").mkdir()
    environment = {"HOME": str(home), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        ["bash", "-euc", script], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_policy_of_the_page_allows_its_pipeline_with_images_of_the_own_registry(tmp_path: Path) -> None:
    azd = f"azd() {{ echo 'EDGETRAIN_CONTAINER_REGISTRY__URL=\"https://{REGISTRY}\"'; }}\n"
    run(azd + block_with("policy.yaml <<"), tmp_path)

    policy = load_policy(tmp_path / "edgetrain-hub/policy.yaml")
    data = Pipelines(ROOT / "pipelines").get("diabetes").data
    order = parsed_order(
        pipeline="diabetes", site=data.site, container=data.container, image=f"{REGISTRY}/scoring/x@sha256:{'0' * 64}"
    )
    policy.check(order)
    policy.check_blobs("diabetes", [data.holdout, f"{data.prefix}a.parquet"])
    with pytest.raises(PolicyRefusedError, match="registries"):
        policy.check(replace(order, image=f"docker.io/scoring/x@sha256:{'0' * 64}"))


def test_later_commands_get_their_values_of_the_outputs_of_the_template(tmp_path: Path) -> None:
    template = json.loads((HERE / "azuredeploy.json").read_text(encoding="utf-8"))
    outputs = {name: {"type": "String", "value": f"the {name}"} for name in template["outputs"]}
    lines = block_with("outputs.json\noutput()").splitlines()[-2:]
    written = f"cat > ~/edgetrain-hub/outputs.json <<'END'\n{json.dumps(outputs)}\nEND\n"

    said = run(written + "\n".join([*lines, 'echo "$ADDRESS, $ACCOUNT"']), tmp_path)

    assert said == "the address, the storageAccountName\n"
    later = "".join(each.body for each in blocks(PAGE))
    assert '"$ADDRESS"' in later
    assert '--name "$ACCOUNT"' in later
