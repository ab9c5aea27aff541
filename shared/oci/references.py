"""Names of images: what a repository, a tag and a digest may look like."""

import hashlib
import re
from dataclasses import dataclass

# Grammar of the OCI distribution specification, "Pulling manifests".
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class ImageName:
    """A repository and a tag or digest in it; raises ``ValueError`` for what no registry would accept."""

    repository: str
    reference: str

    def __post_init__(self) -> None:
        if not _REPOSITORY.fullmatch(self.repository) or len(self.repository) > 255:
            raise ValueError(f"{self.repository!r} is not a repository name (lower case, digits, . _ - and /)")
        if not is_tag(self.reference) and not is_digest(self.reference):
            raise ValueError(f"{self.reference!r} is neither a tag nor a sha256 digest")

    def __str__(self) -> str:
        return f"{self.repository}{'@' if is_digest(self.reference) else ':'}{self.reference}"


def parse_name(text: str) -> ImageName:
    """Read ``repository:tag`` or ``repository@sha256:...``, both without a host; raises ``ValueError``."""
    for separator in ("@", ":"):
        repository, found, reference = text.partition(separator)
        if found:
            return ImageName(repository, reference)
    raise ValueError(f"{text!r} names no tag: write repository:tag or repository@sha256:...")


def is_digest(reference: str) -> bool:
    """Whether this is a digest rather than a tag."""
    return _DIGEST.fullmatch(reference) is not None


def is_tag(reference: str) -> bool:
    """Whether this may be a tag."""
    return _TAG.fullmatch(reference) is not None


def digest_of_image(reference: str | None) -> str:
    """The digest in ``host/repository@sha256:...``; empty for none."""
    return reference.rpartition("@")[2] if reference else ""


def digest_of(content: bytes) -> str:
    """The digest that content goes by in a registry."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
