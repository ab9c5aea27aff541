"""Which tests keep to one worker of pytest-xdist, with ``--dist loadscope``: those that share servers.

Its own ``--dist loadgroup`` would be for that, but does not work with pytest 9.2 (pytest-xdist's issue 1386).
"""

from pathlib import PurePosixPath

from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

# End-to-end tests that start no stack of their own share one, in three groups that take about the same time. Outages
# are mostly waited out, so that another group beside them costs next to nothing.
STACKS = {
    "test_faults.py": "outages",
    "test_hands.py": "outages",
    "test_many_drops.py": "dying hosts",
    "test_killed_anywhere.py": "dying hosts",
    "test_bad_events.py": "one story",
    "test_bad_files.py": "one story",
    "test_bad_requests.py": "one story",
    "test_by_identity.py": "one story",
    "test_command_line.py": "one story",
    "test_fuzz.py": "one story",
    "test_naive_scripts.py": "one story",
    "test_secrets.py": "one story",
    "test_story.py": "one story",
}


# Files that take minutes where CI is set, and better start the servers of their folder once more than wait for others.
ALONE = (
    "tests/integration/serving/test_roll_outs.py",
    "tests/integration/site_agent/test_killed_anywhere.py",
    "tests/integration/site_agent/test_shipped_pipelines.py",
)
# What takes longest where CI is set, from the longest on, as its list of the slowest tests has it. A long group that
# begins last keeps one worker, and nobody else, busy at the end.
LONGEST = (
    "tests/e2e: outages",
    "tests/e2e: dying hosts",
    "tests/integration/leaks",
    "tests/integration/serving",
    "tests/integration/serving/test_roll_outs.py",
    "tests/integration/site_agent/test_shipped_pipelines.py",
    "tests/e2e: one story",
    "tests/e2e/test_clean_up.py",
    "tests/e2e/test_documents.py",
    "tests/integration/egress_guard",
    "tests/e2e/test_a_day_at_the_page.py",
    "tests/integration/azure_ml",
    "tests/e2e/test_every_kind.py",
    "tests/integration/browser",
    "tests/e2e/test_fair_judgement.py",
    "tests/integration/site_agent/test_killed_anywhere.py",
    "tests/e2e/test_down_and_up.py",
    "tests/integration/hub",
    "tests/e2e/test_one_pool.py",
    "tests/integration/authoring",
)


def begins_first(nodeid: str) -> int:
    """To sort tests by: those of the longest groups come first, all others stay in their order behind them."""
    group = group_of(nodeid)
    return LONGEST.index(group) if group in LONGEST else len(LONGEST)


def group_of(nodeid: str) -> str:
    """Some end-to-end tests share a stack, the integration tests of a folder its servers, any other only a file."""
    file = PurePosixPath(nodeid.partition("::")[0])
    match file.parts:
        case ("tests", "e2e", name) if name in STACKS:
            return f"tests/e2e: {STACKS[name]}"
        case ("tests", "integration", _, _) if str(file) in ALONE:
            return str(file)
        case ("tests", "integration", folder, _):
            return f"tests/integration/{folder}"
    return str(file)


class SharedServers(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist ships no type information
    """Gives each worker one group after the other, not before the last test but one of what it has is over."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)

    def _reschedule(self, node: WorkerController) -> None:
        """As pytest-xdist does, which gives the next group when two tests are left, and those may be long ones."""
        if not self.workqueue or self._pending_of(self.assigned_work[node]) <= 1:
            super()._reschedule(node)

    def remove_node(self, node: WorkerController) -> str | None:
        """As pytest-xdist does, which gives others what a crashed worker had finished, and they wait for its tests."""
        units = self.assigned_work[node]
        for scope in [scope for scope, tests in units.items() if all(tests.values())]:
            del units[scope]
        crashed: str | None = super().remove_node(node)
        return crashed
