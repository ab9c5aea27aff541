import hashlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from site_agent.job.policy import PolicyError, PolicyRefusedError, load_policy, parse_policy
from tests.support.job_orders import IMAGE, POLICY, a_policy, parsed_order

GIB = 1024**3


def test_what_the_policy_allows_runs() -> None:
    policy = a_policy()

    policy.check(parsed_order())
    policy.check_blobs("breast-cancer", ["landing/a.csv", "holdout/h.csv"])


def test_a_policy_has_its_usual_limits_and_the_digest_of_its_bytes() -> None:
    policy = a_policy()

    assert (policy.limits.memory, policy.limits.log, policy.limits.gpus) == (8 * GIB, 50 * 1024**2, 0)
    assert (policy.leaves.metrics, policy.leaves.reasons, policy.keep_runs) == (64, "ours", 3)
    assert policy.container_user == 65532
    assert policy.sha256 == hashlib.sha256(POLICY.encode()).hexdigest()


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("pipelines", {"pipeline": "digits"}),
        ("pipelines.breast-cancer.site", {"site": "other"}),
        ("pipelines.breast-cancer.containers", {"container": "salaries"}),
        ("pipelines.breast-cancer.pickles", {"model_format": "pickle"}),
        ("registries", {"image": IMAGE.replace("registry.example", "registry.example.evil")}),
        ("registries", {"champion": {"run_id": "r", "image": f"evil/models/x@sha256:{'b' * 64}"}}),
        ("limits.memory", {"resources": {"memory": "9g", "cpus": 1, "gpus": 0, "disk": "1g"}}),
        ("limits.disk", {"resources": {"memory": "1g", "cpus": 1, "gpus": 0, "disk": "51g"}}),
        ("limits.cpus", {"resources": {"memory": "1g", "cpus": 4.5, "gpus": 0, "disk": "1g"}}),
        ("limits.gpus", {"resources": {"memory": "1g", "cpus": 1, "gpus": 1, "disk": "1g"}}),
        ("limits.seconds", {"seconds": 86401}),
    ],
)
def test_a_refusal_names_its_rule_and_the_file(rule: str, changes: dict[str, Any]) -> None:
    with pytest.raises(PolicyRefusedError) as caught:
        a_policy().check(parsed_order(**changes))

    assert caught.value.rule == rule
    assert f"{rule} in policy.yaml" in str(caught.value)


def test_a_blob_outside_of_the_prefixes_is_refused_without_its_name() -> None:
    with pytest.raises(PolicyRefusedError) as caught:
        a_policy().check_blobs("breast-cancer", ["landing/a.csv", "salaries/2026.csv"])

    assert caught.value.rule == "pipelines.breast-cancer.prefixes"
    assert "salaries" not in str(caught.value)


def test_a_star_is_for_all_that_are_not_named() -> None:
    policy = a_policy(POLICY + '  "*": {site: lab, containers: [digits], prefixes: [""]}\n')

    policy.check(parsed_order(pipeline="digits", site="lab", container="digits"))
    with pytest.raises(PolicyRefusedError):
        policy.check(parsed_order(container="digits"))


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("registries", POLICY.replace("registries: [registry.example]\n", "")),
        ("pipelines", "registries: []\n"),
        ("pipelines.breast-cancer.site", POLICY.replace("    site: factory\n", "")),
        ("pipelines.breast-cancer.pickles", POLICY + "    pickles: yes please\n"),
        ("pipelines.breast-cancer.pickle", POLICY + "    pickle: allowed\n"),
        ("limits.memory", POLICY + "limits: {memory: lots}\n"),
        ("limits.ram", POLICY + "limits: {ram: 4g}\n"),
        ("leaves.reasons", POLICY + "leaves: {reasons: all}\n"),
        ("container_user", POLICY + "container_user: 0\n"),
        ("keep_runs", POLICY + "keep_runs: -1\n"),
        ("line 1", POLICY + "registries: [other]\n"),
        ("line 2", "registries: [\n"),
        ("object", "- a list\n"),
    ],
)
def test_a_policy_with_a_mistake_allows_nothing(field: str, text: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse_policy(text.encode(), file="policy.yaml")

    assert "policy.yaml" in str(caught.value)
    assert field in str(caught.value)


def test_a_missing_policy_allows_nothing(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"policy\.yaml"):
        load_policy(tmp_path / "policy.yaml")


def test_a_policy_that_others_may_change_allows_nothing(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    path.chmod(0o620)

    with pytest.raises(PolicyError, match="chmod"):
        load_policy(path)


def test_a_policy_is_read_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    path.chmod(0o600)

    assert load_policy(path).registries == ("registry.example",)


@given(st.binary(max_size=300) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))
def test_any_bytes_are_a_policy_or_refused(content: bytes) -> None:
    with pytest.raises(PolicyError):
        parse_policy(content, file="policy.yaml")
