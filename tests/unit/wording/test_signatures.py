"""Why an image is not used, what is wrong with keys, and what does not fit in a passport, as people read it."""

import re
from pathlib import Path

from cli.dependency_image import _unsigned
from shared.clients.identity import CheckedCredential, NoIdentityError
from shared.clients.image_trust import ImageTrust
from shared.clients.key_vault_signer import KeyVaultSigner, vault_token
from shared.clients.signers import connect, trusted_keys
from shared.errors import Code
from shared.oci.images import Image, describe
from shared.oci.references import ImageName
from shared.oci.transfer import push_image
from shared.settings import Signing
from shared.signing.attachments import Attachments
from shared.signing.bundles import sign
from shared.signing.keys import TrustedKeys
from shared.signing.passport_page import passport_page
from shared.signing.passports import passport_file, verify
from shared.signing.statements import IMAGE, Statement
from tests.support.golden import compare
from tests.support.image_registry import InMemoryRegistry, a_base_image
from tests.support.signing import a_key, image_signatures, trusting
from tests.unit.signing.test_passports import BUNDLE, DOCUMENT, changed
from tests.unit.wording.canned import error_of

REPOSITORY = "models/digits"


def named(text: str) -> str:
    """Without what differs from run to run: keys are made anew."""
    return re.sub(r"[0-9a-f]{12}\.\.\.", "(key)...", text)


def test_images_that_are_not_used(tmp_path: Path) -> None:
    registry = InMemoryRegistry()
    base, parts = a_base_image(tmp_path)

    def pushed(facts: dict[str, str]) -> Image:
        image = describe(base, facts)
        push_image(registry, image, ImageName(REPOSITORY, "run-1"), parts)
        return image

    def refused(image: Image | str, keys: TrustedKeys | None = None) -> str:
        reference = image if isinstance(image, str) else f"{registry.host}/{REPOSITORY}@{image.digest}"
        trust = ImageTrust(registry, trusting() if keys is None else keys)
        return named(error_of(lambda: trust.require(reference)))

    unsigned, of_another, without_base = pushed({"a": "1"}), pushed({"a": "2"}), pushed({"a": "3"})
    image_signatures(registry, "another").sign(REPOSITORY, of_another.descriptor, [])
    image_signatures(registry).sign(REPOSITORY, without_base.descriptor, [])
    copied = pushed({"a": "4"})
    stolen = Attachments(registry).find(REPOSITORY, without_base.digest, IMAGE, trusting())
    assert stolen is not None
    image_signatures(registry).attach(REPOSITORY, copied.descriptor, stolen.signed.statement)
    compare(
        "refused_images",
        "Images that are not used, by what is wrong with their signatures.",
        {
            "nobody signed it": refused(unsigned),
            "another key": refused(of_another),
            "the signature of another image": refused(copied),
            "no dependency image": refused(without_base),
            "another registry": refused(f"elsewhere.example/{REPOSITORY}@{unsigned.digest}"),
            "a tag": refused(f"{registry.host}/{REPOSITORY}:run-1"),
            "not there": refused(f"{registry.host}/{REPOSITORY}@sha256:{'0' * 64}"),
            "no trusted key": refused(unsigned, TrustedKeys()),
            "a dependency image that was there": _unsigned(
                registry.host, ImageName("scoring/digits", "key"), unsigned.digest
            ),
        },
    )


def alone() -> CheckedCredential:
    raise NoIdentityError("there is none", code=Code.BAD_CONFIGURATION)


def test_keys_and_passports(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("nonsense")
    wrong = {"key_vault_key": "https://vault.example/keys/images", "private_key_file": str(tmp_path / "key.pem")}
    other = Statement(subjects=(), predicate_type=IMAGE, predicate=DOCUMENT)
    swapped = passport_page(changed(("metrics", "accuracy"), 0.99), BUNDLE)

    def findings(content: bytes, keys: TrustedKeys | None = None) -> str:
        return "\n".join(verify(content, trusting() if keys is None else keys))

    compare(
        "signing",
        "What is wrong with keys, and what does not fit in a passport.",
        {
            "no key": error_of(lambda: connect(Signing())),
            "no key of Key Vault": error_of(lambda: KeyVaultSigner(wrong["key_vault_key"], lambda: "")),
            "no login at Key Vault": error_of(lambda: vault_token(alone)),
            "no private key": error_of(lambda: connect(Signing(private_key_file=wrong["private_key_file"]))),
            "no public keys": error_of(lambda: trusted_keys(Signing(trusted_keys="nonsense"))),
            "passport: another value": findings(passport_file(changed(("metrics", "accuracy"), 0.99), BUNDLE)),
            "passport: a page with another value": findings(swapped),
            "passport: a page that shows something else": findings(
                passport_page(DOCUMENT, BUNDLE).replace(b">0.95</td>", b">1</td>")
            ),
            "passport: another key": findings(passport_file(DOCUMENT, BUNDLE), trusting("another")),
            "passport: something else was signed": findings(passport_file(DOCUMENT, sign(other, a_key()))),
            "passport: no passport": findings(b"{}"),
            "passport: no page of one": findings(b"<html></html>"),
        },
    )
