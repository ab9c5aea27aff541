"""Make the Python environment of a training folder on a VM, over SSH, once per pair of lock files."""

import sys
from collections.abc import Callable, Sequence
from typing import Final

from shared.clients.ssh import SshSession
from shared.errors import Code, PermanentError

BUILD_SECONDS: Final = 1800.0

# $1 environments folder, $2 key, $3 Python's version such as 3.11, then the lock files. A second builder waits, finds
# the environment and is done. It is built under another name, so that a folder with the right name is complete.
_BUILD: Final = """\
set -e
umask 077
cd "$1"; key=$2; version=$3; shift 3
exec 9>.lock
flock 9
[ -x "$key/bin/python" ] && { echo present; exit 0; }
rm -rf .building-*
new=.building-$key; log=$key.log
trap 'rm -rf "$new"' EXIT
python=$(command -v "python$version" || command -v python3) || { echo "there is no python$version" >&2; exit 1; }
"$python" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$version')" || {
    echo "$python is not Python $version" >&2; exit 1
}
for lock in "$@"; do set -- "$@" --requirement "$lock"; shift; done
{
    "$python" -m venv "$new" &&
    "$new/bin/python" -m pip install --no-input --disable-pip-version-check "$@"
} >"$log" 2>&1 </dev/null || { tail -n 5 "$log" >&2; exit 1; }
mv "$new" "$key"
echo built
"""


def ensure_environment(
    session: SshSession, *, folder: str, key: str, locks: Sequence[str], say: Callable[[str], None]
) -> None:
    """Make ``folder/key`` below the home of the SSH user hold what the lock texts pin; what is there stays.

    Raises :class:`PermanentError` with the last lines of pip's log when that fails.
    """
    if session.run(["test", "-x", f"{folder}/{key}/bin/python"]).status == 0:
        say(f"{session.label}: Python environment {key} is there already")
        return
    names = [f".locks-{key}/{number}.txt" for number, _ in enumerate(locks)]
    for name, text in zip(names, locks, strict=True):
        session.write_text(f"{folder}/{name}", text)
    say(f"{session.label}: building Python environment {key}; pip writes ~/{folder}/{key}.log")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    built = session.script(_BUILD, folder, key, version, *names, timeout=BUILD_SECONDS)
    if built.status != 0:
        reason = f"{session.label}: Python environment {key} cannot be built: {built.said}"
        raise PermanentError(reason, code=Code.TARGET_NOT_PREPARED)
    say(f"{session.label}: Python environment {key} is ready")
