import json
from dataclasses import dataclass, field

import pytest

from shared.errors import TransientError
from shared.oci.images import Descriptor
from shared.oci.media_types import OCI_INDEX, OCI_MANIFEST
from shared.oci.references import digest_of
from shared.oci.referrers import Artifact, Referrer, attach, attached, fallback_tag, referrers
from tests.support.image_registry import InMemoryRegistry

SUBJECT = Descriptor(OCI_MANIFEST, digest_of(b"an image"), 8)
NOTE = Artifact(media_type="text/plain", content=b"a note", annotations={"kind": "note"})
OTHER = Artifact(media_type="text/plain", content=b"another note")


def kinds(registry: InMemoryRegistry) -> list[Referrer]:
    return list(referrers(registry, "models/x", SUBJECT.digest))


def test_what_is_attached_is_found_with_its_annotations() -> None:
    registry = InMemoryRegistry()

    (digest,) = attach(registry, "models/x", SUBJECT, [NOTE])
    attach(registry, "models/x", SUBJECT, [OTHER])

    first, second = kinds(registry)
    assert (first.digest, first.artifact_type, first.annotations) == (digest, "text/plain", {"kind": "note"})
    assert attached(registry, "models/x", first, to=SUBJECT.digest) == b"a note"
    assert attached(registry, "models/x", second, to=SUBJECT.digest) == b"another note"
    assert attached(registry, "models/x", first, to=digest_of(b"another image")) is None


def test_a_repeat_adds_nothing() -> None:
    registry = InMemoryRegistry()
    attach(registry, "models/x", SUBJECT, [NOTE, OTHER])
    before = dict(registry.manifests), dict(registry.blobs)

    attach(registry, "models/x", SUBJECT, [NOTE, OTHER])

    assert (registry.manifests, registry.blobs) == before


class Knowing(InMemoryRegistry):
    """A registry that keeps the index itself."""

    def put_manifest(self, repository: str, tag: str, body: bytes, *, media_type: str) -> bool:
        super().put_manifest(repository, tag, body, media_type=media_type)
        return True

    def get_referrers(self, repository: str, digest: str) -> bytes | None:
        return json.dumps({"manifests": [{"digest": digest_of(b"x"), "artifactType": "its/own"}]}).encode()


def test_the_last_document_is_attached_when_all_others_are() -> None:
    registry = Knowing()
    notes = [Artifact(media_type="text/plain", content=b"%d" % number) for number in range(9)]

    digests = attach(registry, "models/x", SUBJECT, notes)

    assert [name for _, name in registry.manifests][-1] == digests[-1]
    assert len(set(digests)) == len(notes)


def test_a_registry_that_knows_referrers_gets_no_tag() -> None:
    registry = Knowing()

    attach(registry, "models/x", SUBJECT, [NOTE])

    assert ("models/x", fallback_tag(SUBJECT.digest)) not in registry.manifests
    assert [each.artifact_type for each in kinds(registry)] == ["its/own"]


@dataclass
class Raced(InMemoryRegistry):
    """Another writer replaces the index right after ours, so often."""

    times: int = field(default=1, kw_only=True)

    def put_manifest(self, repository: str, tag: str, body: bytes, *, media_type: str) -> bool:
        if media_type == OCI_INDEX and self.times:
            self.times -= 1
            body = json.dumps({"manifests": [{"digest": digest_of(b"theirs")}]}).encode()
        return super().put_manifest(repository, tag, body, media_type=media_type)


def test_two_writers_of_the_index_keep_both_entries() -> None:
    registry = Raced()

    (digest,) = attach(registry, "models/x", SUBJECT, [NOTE])

    assert [each.digest for each in kinds(registry)] == [digest_of(b"theirs"), digest]


def test_an_index_that_never_holds_is_tried_again_later() -> None:
    with pytest.raises(TransientError):
        attach(Raced(times=100), "models/x", SUBJECT, [NOTE])


@pytest.mark.parametrize(
    "index", [b"{", b"[]", b'{"manifests": 1}', b'{"manifests": [1, {"digest": "x"}, {}]}'], ids=range(4)
)
def test_an_index_that_somebody_broke_lists_nothing(index: bytes) -> None:
    registry = InMemoryRegistry()
    registry.put_manifest("models/x", fallback_tag(SUBJECT.digest), index, media_type=OCI_INDEX)

    assert kinds(registry) == []
