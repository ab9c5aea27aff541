"""Programs of others that check our signatures: npm's ``@sigstore/verify``, and OpenSSF's ``model_signing``.

``python -m tests.support.other_verifiers`` makes what they need: ``model_signing`` has an environment of its own,
because its pins are not ours; it is kept in the cache.
"""

import subprocess
from pathlib import Path

from local_stack.setup import node
from tests.support.locked_environments import locked_environment

ROOT = Path(__file__).resolve().parents[2]
NODE = ROOT / "tests/support/node"
REQUIREMENTS = ROOT / "tests/support/model_signing/requirements.txt"
ENVIRONMENTS = ROOT / ".local/cache/verifiers"


def sigstore_verify(bundle: bytes, public_key: Path) -> "subprocess.CompletedProcess[bytes]":
    """What npm's verifier makes of a bundle: status 0 and the statement, or 1 and why not."""
    if not node.is_current(NODE):
        node.install(NODE)
    command = ["node", str(NODE / "verify_bundle.js"), str(public_key)]
    return subprocess.run(command, input=bundle, capture_output=True, check=False, timeout=120)


def model_signing(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """What OpenSSF's tool says."""
    command = [str(model_signing_environment() / "bin/python"), "-m", "model_signing", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def model_signing_environment() -> Path:
    """The environment of OpenSSF's tool, made now when it is missing; one process at a time."""
    return locked_environment("model-signing", REQUIREMENTS, ENVIRONMENTS)


if __name__ == "__main__":
    model_signing_environment()
