import pytest

from shared.oci.references import ImageName, digest_of, is_digest, parse_name

DIGEST = "sha256:" + "0f" * 32


@pytest.mark.parametrize(
    ("text", "repository", "reference"),
    [
        ("models/digits:run-1", "models/digits", "run-1"),
        (f"scoring/breast_cancer@{DIGEST}", "scoring/breast_cancer", DIGEST),
        ("python:3.11-slim", "python", "3.11-slim"),
    ],
)
def test_a_name_reads_back_as_written(text: str, repository: str, reference: str) -> None:
    name = parse_name(text)

    assert (name.repository, name.reference) == (repository, reference)
    assert str(name) == text


@pytest.mark.parametrize(
    "text",
    [
        "python",
        "Python:3",
        "a//b:1",
        "a/_b:1",
        "a___b:1",
        "../a:1",
        "a:",
        "a:.b",
        "a: b",
        "a@sha256:12",
        "a:" + "t" * 129,
    ],
)
def test_what_no_registry_accepts_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a repository name|is neither a tag|names no tag"):
        parse_name(text)


def test_a_long_repository_is_refused() -> None:
    with pytest.raises(ValueError, match="is not a repository name"):
        ImageName("a" * 256, "1")


def test_a_digest_is_sha256_in_hex() -> None:
    assert digest_of(b"") == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert is_digest(digest_of(b""))
    assert not is_digest("latest")
