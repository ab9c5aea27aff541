"""A script on a VM that is ended by a signal, as by its time limit, leaves no file behind: it may hold a secret."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from shared.clients.ssh import _WRITE
from shared.clients.vm_containers import _PULL

GRANT = Path(__file__).resolve().parents[3] / "infra/hub/vm/grant-site.sh"

each_signal = pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)


@each_signal
def test_a_pull_leaves_no_password(tmp_path: Path, number: signal.Signals) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    engine = tmp_path / "engine"
    engine.write_text(
        '#!/bin/sh\n[ "$1" = pull ] || exec cat > "$DOCKER_CONFIG/auth.json"\necho told >&2\nexec sleep 600\n'
    )
    engine.chmod(0o700)

    script = ["sh", "-c", _PULL, "sh", str(engine), "registry.example/image", "registry.example", "user"]
    assert end_when_it_tells(script, number, b"the password\n", {"TMPDIR": str(folder)}) != 0

    assert list(folder.iterdir()) == []


@each_signal
def test_a_file_that_is_written_leaves_no_part(tmp_path: Path, number: signal.Signals) -> None:
    told = telling(tmp_path)
    script = ["sh", "-c", _WRITE, "sh", str(tmp_path / "state/slot.json"), "100"]

    assert end_when_it_tells(script, number, b"a part", {"PATH": f"{told}:{os.environ['PATH']}"}) != 0

    assert list((tmp_path / "state").iterdir()) == []


@each_signal
def test_credentials_that_are_granted_leave_no_part(tmp_path: Path, number: signal.Signals) -> None:
    told = telling(tmp_path)
    inner = GRANT.read_text(encoding="utf-8").partition("sh -euc '")[2].partition("' sh ")[0]
    folder = tmp_path / "sites"
    folder.mkdir()
    script = ["sh", "-euc", inner, "sh", str(folder), "factory"]

    assert end_when_it_tells(script, number, b"a part", {"PATH": f"{told}:{os.environ['PATH']}"}) != 0

    assert list(folder.iterdir()) == []


def telling(folder: Path) -> Path:
    """A folder with a ``cat`` that tells when it has begun, and does not end."""
    programs = folder / "programs"
    programs.mkdir()
    (programs / "cat").write_text("#!/bin/sh\nhead -c 6\necho told >&2\nexec sleep 600\n")
    (programs / "cat").chmod(0o700)
    return programs


def end_when_it_tells(
    script: Sequence[str], number: signal.Signals, stdin: bytes, environment: Mapping[str, str]
) -> int:
    """Send a signal to a script and all that it started, as ``timeout`` does, when that tells by its error output.

    What these tests run in may ignore some signals, as ``nohup`` does, and a script would inherit that.
    """
    process = subprocess.Popen(
        ["env", "--default-signal=HUP,INT,TERM", *script],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **environment},
        start_new_session=True,
    )
    with process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(stdin)
        process.stdin.flush()
        if "TMPDIR" in environment:
            process.stdin.close()  # what reads the password reads to the end
        said = process.stderr.readline()
        os.killpg(process.pid, number)
        assert said == b"told\n"
        return process.wait()
