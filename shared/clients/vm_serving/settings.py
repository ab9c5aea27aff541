"""The settings of a target of kind ``vm``."""

from pydantic import Field, SecretStr

from shared.settings import SshHost


class VmSettings(SshHost):
    """How a VM is reached, and what it pulls images with: best a user that may only read.

    ``keep_releases``: of how many earlier releases the images stay, so that a roll-back to them is quick.
    """

    pull_username: str = ""
    pull_password: SecretStr = SecretStr("")
    keep_releases: int = Field(3, ge=0, le=20)
