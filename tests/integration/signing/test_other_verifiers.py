"""Programs that others wrote read what we sign: npm's ``@sigstore/verify``, and OpenSSF's ``model_signing``."""

import json
from pathlib import Path

import pytest

from shared.signing.attachments import Attachments
from shared.signing.keys import public_pem
from shared.signing.statements import IMAGE, MODEL, PROVENANCE, SBOM
from tests.integration.signing.world import MODEL as FILES
from tests.integration.signing.world import World
from tests.support.other_verifiers import model_signing, sigstore_verify
from tests.support.signing import a_key, trusting


def bundle(world: World, kind: str) -> bytes:
    built = world.build()
    found = Attachments(world.client).find(built.repository, built.digest, kind, trusting())
    assert found is not None
    return found.bundle


def key_file(folder: Path, name: str) -> Path:
    file = folder / f"{name.replace(' ', '-')}.pub"
    file.write_text(public_pem(a_key(name).public_key), encoding="ascii")
    return file


@pytest.mark.parametrize("kind", [IMAGE, SBOM, PROVENANCE, MODEL])
def test_sigstore_accepts_our_bundles_and_refuses_another_key(world: World, tmp_path: Path, kind: str) -> None:
    content = bundle(world, kind)

    done = sigstore_verify(content, key_file(tmp_path, "a key"))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["predicateType"] == kind

    refused = sigstore_verify(content, key_file(tmp_path, "another"))
    assert (refused.returncode, refused.stdout) == (1, b"")
    assert b"SIGNATURE_ERROR" in refused.stderr


def test_openssf_accepts_our_signature_of_a_model_and_notices_every_change(world: World, tmp_path: Path) -> None:
    model, signature = tmp_path / "model", tmp_path / "model.sig"
    for name, content in FILES.items():
        (model / name).parent.mkdir(parents=True, exist_ok=True)
        (model / name).write_bytes(content)
    signature.write_bytes(bundle(world, MODEL))

    def verify(key: str) -> int:
        public = str(key_file(tmp_path, key))
        done = model_signing("verify", "key", str(model), "--signature", str(signature), "--public_key", public)
        return done.returncode

    assert verify("a key") == 0
    assert verify("another") != 0
    (model / "model.skops").write_bytes(b"Weights")
    assert verify("a key") != 0
    (model / "model.skops").write_bytes(FILES["model.skops"])
    (model / "more.bin").write_bytes(b"")
    assert verify("a key") != 0
