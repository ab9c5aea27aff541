"""Which tests keep to one worker of pytest-xdist, with ``--dist loadscope``: those that share servers.

Its own ``--dist loadgroup`` would be for that, but does not work with pytest 9.2 (pytest-xdist's issue 1386).
"""

from pathlib import PurePosixPath

from xdist.scheduler import LoadScopeScheduling

STACKS_OF_THEIR_OWN = {"test_clean_up.py", "test_down_and_up.py"}


def group_of(nodeid: str) -> str:
    """The end-to-end tests share one stack, the integration tests of a folder its servers, any other only a file."""
    file = PurePosixPath(nodeid.partition("::")[0])
    match file.parts:
        case ("tests", "e2e", name) if name not in STACKS_OF_THEIR_OWN:
            return "tests/e2e"
        case ("tests", "integration", folder, _):
            return f"tests/integration/{folder}"
    return str(file)


class SharedServers(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist ships no type information
    """Gives each worker one group after the other."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)
