"""Logging in to a VM over SSH: with the key of the settings, at exactly the host that they pin."""

import time
from contextlib import suppress
from typing import Final

import paramiko

from shared.clients.ssh_keys import KeyTextError, host_key_line, private_key
from shared.clients.transient import transient
from shared.errors import Code, PermanentError, TransientError
from shared.settings import SshHost
from shared.values.texts import shortened

ANOTHER_LOGIN: Final = (0.5, 2.0)
"""Seconds before another login, when the VM hung up on one."""
AT_ONCE: Final = 2.0
"""Seconds within which a VM that takes no more logins hangs up on one."""


class _HungUpError(TransientError):
    """The VM took the connection and hung up before anybody was logged in, so that nothing has been done there."""


def log_in(client: paramiko.SSHClient, host: SshHost, label: str, timeout: float) -> None:
    """Connect a fresh client; ``timeout`` in seconds for each step.

    A busy sshd hangs up on some of those who are about to log in (``MaxStartups`` in sshd_config(5)), and does so at
    once: they are to come again.

    Raises :class:`TransientError` when the VM does not answer, :class:`PermanentError` when it is not the one that is
    pinned, refuses the key, or the settings hold no usable key.
    """
    key = _usable_key(host, label)
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    _pin(client, host, label)
    for pause in ANOTHER_LOGIN:
        with suppress(_HungUpError):
            _connect(client, host, key, label, timeout)
            return
        time.sleep(pause)
    _connect(client, host, key, label, timeout)


def cause_of(error: BaseException) -> str:
    """An error's text on one line; the name of its class when it has none."""
    return shortened(error) or type(error).__name__


def link_trouble(cause: str) -> TransientError:
    """The error when the VM does not answer, or the connection breaks."""
    return transient(cause, check="that the VM is up, and the network between the app and its SSH port")


def trouble_on_vm(cause: str) -> TransientError:
    """The error when the VM answers, but what was to be done there failed."""
    return transient(cause, check="the VM's disk, memory, network and running programs")


def _connect(client: paramiko.SSHClient, host: SshHost, key: paramiko.PKey, label: str, timeout: float) -> None:
    at_once = time.monotonic() + min(AT_ONCE, timeout / 2)
    try:
        client.connect(
            host.address,
            host.port,
            username=host.username,
            pkey=key,
            allow_agent=False,
            look_for_keys=False,
            timeout=timeout,
            banner_timeout=timeout,
            auth_timeout=timeout,
        )
    except paramiko.BadHostKeyException as error:
        raise _wrong_host(label) from error
    except paramiko.AuthenticationException as error:
        if any(word in str(error).lower() for word in ("timeout", "saw eof")):  # paramiko's words for a link that broke
            raise link_trouble(f"{label}: {cause_of(error)}") from error
        reason = f"{label}: the VM refuses the key of user {host.username}; add its public half to authorized_keys"
        raise PermanentError(reason, code=Code.BAD_CONFIGURATION) from error
    except paramiko.SSHException as error:
        if "not found in known_hosts" in str(error):  # RejectPolicy's words: it showed a key of another type
            raise _wrong_host(label) from error
        raise _trouble(label, error, hung_up="protocol banner" in str(error), at_once=at_once) from error
    except (EOFError, ConnectionResetError, BrokenPipeError) as error:
        raise _trouble(label, error, hung_up=True, at_once=at_once) from error
    except OSError as error:
        raise link_trouble(f"{label}: {cause_of(error)}") from error
    transport = client.get_transport()
    if transport is not None:
        transport.set_keepalive(15)


def _trouble(label: str, error: BaseException, *, hung_up: bool, at_once: float) -> TransientError:
    """``at_once``: until when, by the monotonic clock; what ended later waited in vain, as another login would."""
    if not hung_up or time.monotonic() > at_once:
        return link_trouble(f"{label}: {cause_of(error)}")
    check = "that this is the port of its SSH server, and how many logins that takes at a time (MaxStartups)"
    return _HungUpError(str(transient(f"{label}: the VM hung up on the login: {cause_of(error)}", check=check)))


def _pin(client: paramiko.SSHClient, host: SshHost, label: str) -> None:
    # SSHClient looks hosts up as known_hosts does: the port counts unless it is 22.
    name = host.address if host.port == 22 else f"[{host.address}]:{host.port}"
    try:
        entry = paramiko.hostkeys.HostKeyEntry.from_line(f"{name} {host_key_line(host.host_key)}")
        if entry is None or entry.key is None:
            raise KeyTextError("holds a key of an unknown type; give the one of type ssh-ed25519")
    except (KeyTextError, paramiko.hostkeys.InvalidHostKey) as error:
        what = error if isinstance(error, KeyTextError) else "holds a key that is damaged or cut; copy the line again"
        reason = f"{label}: its HOST_KEY in the app settings {what}"
        raise PermanentError(reason, code=Code.BAD_CONFIGURATION) from error
    client.get_host_keys().add(name, entry.key.get_name(), entry.key)


def _wrong_host(label: str) -> PermanentError:
    reason = (
        f"{label}: the host key is not the pinned one, so this may not be the VM; "
        "if it was reinstalled, put its new key into HOST_KEY in the app settings"
    )
    return PermanentError(reason, code=Code.BAD_CONFIGURATION)


def _usable_key(host: SshHost, label: str) -> paramiko.PKey:
    try:
        return private_key(host.private_key.get_secret_value())
    except KeyTextError as error:
        reason = f"{label}: its PRIVATE_KEY in the app settings {error}"
        raise PermanentError(reason, code=Code.BAD_CONFIGURATION) from error
