"""The environment services get: a short, explicit list, so that nothing of the developer's leaks in."""

import os
from collections.abc import Mapping
from pathlib import Path

# What a machine needs to reach its package index and other hosts outside, whatever runs on it.
_OUTWARD = frozenset(
    {
        "CURL_CA_BUNDLE",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "REQUESTS_CA_BUNDLE",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        "https_proxy",
        "http_proxy",
    }
)
_LOOPBACK = "127.0.0.1,localhost"
_USER_PIP_FILES = (".config/pip/pip.conf", ".pip/pip.conf")


def outward(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """How this machine reaches the outside: proxy, trusted authorities, pip's settings. May hold secrets."""
    settings = {name: value for name, value in environ.items() if name in _OUTWARD or name.startswith("PIP_")}
    if "PIP_CONFIG_FILE" not in settings and (file := _pip_file(environ)):
        settings["PIP_CONFIG_FILE"] = str(file)  # pip looks below HOME, and services have another one
    direct = ",".join(filter(None, [environ.get("NO_PROXY") or environ.get("no_proxy"), _LOOPBACK]))
    return {**settings, "NO_PROXY": direct, "no_proxy": direct}


def _pip_file(environ: Mapping[str, str]) -> Path | None:
    home = Path(environ.get("HOME", "/nonexistent"))
    return next((home / name for name in _USER_PIP_FILES if (home / name).is_file()), None)


def service_environment(home: Path, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What every service starts with. ``home`` is its own: libraries may write caches and profiles there."""
    return {
        "PATH": environ.get("PATH", os.defpath),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "TMPDIR": environ.get("TMPDIR", "/tmp"),  # noqa: S108  the system's default, not a file of ours
        "PYTHONUNBUFFERED": "1",  # a log is read while the service runs
    }
