import os
import signal
import subprocess
from dataclasses import replace

from local_stack.processes import identities


def test_an_identity_is_of_one_process_only() -> None:
    with subprocess.Popen(["sleep", "300"]) as process:
        identity = identities.identify(process.pid)
        assert identity is not None
        assert identities.is_alive(identity)

        # The id of a living process with another start time: whoever had it before is gone, the new one is not hurt.
        predecessor = replace(identity, started=identity.started - 1)
        assert not identities.is_alive(predecessor)
        identities.send(predecessor, signal.SIGKILL)
        assert identities.end([predecessor], grace=0.1) == set()
        assert process.poll() is None

        assert identities.end([identity], grace=5) == {identity}
        assert process.wait() == -signal.SIGTERM
    assert identities.identify(identity.pid) != identity
    assert not identities.is_alive(identity)


def test_who_does_not_listen_is_killed() -> None:
    script = "trap '' TERM; echo deaf; while :; do sleep 0.05; done"
    with subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"deaf\n"
        identity = identities.identify(process.pid)
        assert identity is not None

        identities.end([identity], grace=0.2)

        assert process.wait() == -signal.SIGKILL


def test_marked_processes_are_found_but_never_ourselves_or_our_ancestors() -> None:
    mark = f"mark-{os.getpid()}"
    with subprocess.Popen(["sleep", "300"], env={**os.environ, "EDGETRAIN_TEST_MARK": mark}) as process:
        found = identities.marked("EDGETRAIN_TEST_MARK", mark)
        process.kill()
    path = os.environ["PATH"]

    assert {each.pid for each in found} == {process.pid}
    assert os.getpid() not in {each.pid for each in identities.marked("PATH", path)}
    assert os.getppid() not in {each.pid for each in identities.marked("PATH", path)}
