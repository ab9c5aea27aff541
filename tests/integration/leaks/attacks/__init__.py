"""Every attack, by the way that it tries."""

from collections.abc import Mapping
from typing import Final

from tests.integration.leaks.attacks import machine, models, network, outputs, submission, words
from tests.integration.leaks.attacks.attack import Attack

__all__ = ["ALONE", "ATTACKS", "LIKE", "Attack"]

ATTACKS: Final = (
    *network.ATTACKS,
    *machine.ATTACKS,
    *outputs.ATTACKS,
    *models.ATTACKS,
    *words.ATTACKS,
    *submission.ATTACKS,
)
# Attack -> the other one that ends at the same wall, which runs where CI is set.
LIKE: Final[Mapping[str, str]] = {
    "network-of-the-answer": "network-of-evaluation",
    "proxy": "tcp",
    "false-traceback": "traceback",
    "signal": "exit-code",
    "names-of-metrics-of-held-out-rows": "names-of-metrics",
    "numbers-as-names-of-metrics": "names-of-metrics",
}
# Attack -> the test of its wall without a run around it, which runs everywhere.
ALONE: Final[Mapping[str, str]] = {
    "time-out": "integration/site_agent/test_run.py::test_a_run_that_takes_too_long_is_ended",
    "sparse-files": "integration/site_agent/test_containers.py::test_a_file_with_a_hole_counts_as_long_as_it_is",
    "many-files": "unit/site_agent/test_folders.py::test_counting_ends_at_a_bound",
    "deep-folders": "unit/site_agent/test_folders.py::test_folders_too_deep_count_as_too_many_files",
    "hard-links": "unit/site_agent/test_folders.py::test_a_small_file_is_read_and_nothing_else",
    "header-of-losses": "unit/site_agent/test_losses.py::test_a_wrong_line_is_named_and_not_quoted",
    "metric-that-is-no-number": "unit/site_agent/guard/test_metrics.py"
    "::test_what_is_no_flat_object_of_finite_numbers_is_refused",
    "metric-that-is-a-text": "unit/site_agent/guard/test_metrics.py"
    "::test_what_is_no_flat_object_of_finite_numbers_is_refused",
    "judged-metric-is-missing": "unit/site_agent/guard/test_metrics.py::test_the_judged_metric_must_be_there",
    "too-many-metrics": "unit/site_agent/guard/test_metrics.py::test_the_judged_metric_is_kept_when_there_are_too_many",
    "proxy-variables": "unit/site_agent/test_installation.py"
    "::test_the_environment_of_the_job_is_the_installations_but_for_azure_ml",
    "engine-variables": "unit/site_agent/test_installation.py::test_the_engine_gets_nothing_of_the_jobs_environment",
    "another-pipelines-container": "unit/site_agent/test_policy.py::test_a_refusal_names_its_rule_and_the_file",
}
