"""What stands before Distribution: HAProxy, which lets one user pull only.

Distribution's password file knows no rights: whoever is in it may push and delete. A VM at a site gets a user that may
read (Azure Container Registry: a token with the scope map ``_repositories_pull``), and here that is held by HAProxy.
"""

import shutil
from pathlib import Path

from local_stack.files import write_private

_DENIED = '{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}'


def command(folder: Path) -> list[str]:
    """HAProxy in the foreground, with what :func:`configure` wrote."""
    return [shutil.which("haproxy") or "/usr/sbin/haproxy", "-db", "-f", str(folder / "gate.cfg")]


def configure(folder: Path, *, address: str, backend: str, readers: dict[str, str]) -> None:
    """Write the configuration: ``readers`` (user name -> password) get 403 for all but GET and HEAD."""
    users = [f"  user {name} insecure-password {password} groups readers" for name, password in readers.items()]
    refused = (
        "http-request return status 403 content-type application/json"
        f" string '{_DENIED}' hdr Docker-Distribution-Api-Version registry/2.0"
    )
    lines = [
        "global",
        "  log stderr format raw daemon notice",
        "  maxconn 500",
        "",
        "userlist known",
        "  group readers",
        *users,
        "",
        "defaults",
        "  mode http",
        "  log global",
        "  option dontlognull",
        "  timeout connect 2s",
        "  timeout http-request 10s",
        "  timeout client 120s",
        "  timeout server 120s",
        "",
        "frontend registry",
        f"  bind {address}",
        "  acl reads method GET HEAD",
        "  acl may_read_only http_auth_group(known) readers",
        f"  {refused} if may_read_only !reads",
        "  default_backend distribution",
        "",
        "backend distribution",
        f"  server one {backend}",
        "",
    ]
    write_private(folder / "gate.cfg", "\n".join(lines))
