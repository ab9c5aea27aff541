"""Every attack, by the way that it tries."""

from collections.abc import Mapping
from typing import Final

from tests.integration.leaks.attacks import machine, models, network, outputs, submission, words
from tests.integration.leaks.attacks.attack import Attack

__all__ = ["ATTACKS", "LIKE", "Attack"]

ATTACKS: Final = (
    *network.ATTACKS,
    *machine.ATTACKS,
    *outputs.ATTACKS,
    *models.ATTACKS,
    *words.ATTACKS,
    *submission.ATTACKS,
)
# Attack -> the other one that ends at the same wall: that one runs where CI is set, both with -m "long or on_demand".
LIKE: Final[Mapping[str, str]] = {
    "network-of-the-answer": "network-of-evaluation",
    "proxy": "tcp",
    "sshd": "unix-sockets",
    "time-out": "fork-bomb",
    "sparse-files": "huge-files",
    "many-files": "huge-files",
    "deep-folders": "dots-and-slashes",
    "hard-links": "symbolic-links",
    "false-traceback": "traceback",
    "signal": "exit-code",
    "names-of-metrics-of-held-out-rows": "names-of-metrics",
    "numbers-as-names-of-metrics": "names-of-metrics",
    "metric-that-is-no-number": "metrics-are-no-json",
    "metric-that-is-a-text": "metrics-are-no-json",
    "judged-metric-is-missing": "metrics-are-no-json",
    "too-many-metrics": "values-of-metrics",
    "header-of-losses": "files-of-evaluation",
    "engine-variables": "python-variables",
    "proxy-variables": "python-variables",
    "another-pipelines-container": "another-sites-data",
}
