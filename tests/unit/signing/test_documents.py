"""What is said of images: the model's files, the bill of materials, where it comes from."""

import io
import json
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.image_packages import installed_packages, read_layer
from cli.layer_cache import LayerCache
from shared.messages import Cause, Lineage
from shared.oci.images import Descriptor
from shared.signing.model_folders import ModelFile, in_order, model_digest, model_files, model_statement
from shared.signing.provenance import provenance
from shared.signing.sbom import MOST_FILES, Package, model_bom, packages_bom
from tests.support.image_registry import InMemoryRegistry

AT = datetime(2026, 5, 1, tzinfo=UTC)
DIGEST = "sha256:" + "ab" * 32
LINEAGE = Lineage(
    run_id="run-1",
    pipeline="digits",
    fingerprint="12" * 32,
    snapshot_digest="cd" * 32,
    blobs=3,
    metrics={"accuracy": 0.95, "log_loss": 1e-300},
    parameters={"C": 0.5},
    cause=Cause.NEW_DATA,
    holdout="ef" * 32,
    evaluator="01" * 32,
)
PACKAGES = [
    Package("pypi", "Scikit_Learn", "1.7.2", "BSD-3-Clause"),
    Package("deb", "libstdc++6", "12.2.0-14"),
    Package("pypi", "numpy", "2.3.5", "x" * 500),
]
FILES = st.lists(
    st.builds(
        ModelFile,
        st.text("abcXYZ01._-/", min_size=1, max_size=12),
        st.binary(min_size=32, max_size=32).map(bytes.hex),
        st.integers(0, 2**40),
    ),
    unique_by=lambda file: file.path,
    max_size=8,
)


@given(FILES, st.randoms())
def test_the_order_in_which_files_are_found_does_not_matter(files: list[ModelFile], random: Any) -> None:
    shuffled = list(files)
    random.shuffle(shuffled)

    assert model_digest(shuffled) == model_digest(files)
    assert model_statement("m", shuffled) == model_statement("m", files)


@given(FILES.filter(bool), st.data())
def test_every_file_counts(files: list[ModelFile], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(files) - 1))
    less = files[:at] + files[at + 1 :]
    other = [*less, ModelFile(files[at].path, "00" * 32, files[at].size)]

    assert model_digest(less) != model_digest(files)
    assert model_digest(other) != model_digest(files) or files[at].sha256 == "00" * 32


def test_files_of_a_folder_are_listed_by_the_parts_of_their_paths(tmp_path: Path) -> None:
    for name in ("b", "a/z", "a.txt", "a/b/c"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)

    files = model_files(tmp_path)

    assert [file.path for file in files] == ["a/b/c", "a/z", "a.txt", "b"]
    assert files == in_order(reversed(files))


def the_bom(files: list[ModelFile] | None = None) -> dict[str, Any]:
    below = packages_bom("scoring/digits", DIGEST, PACKAGES, created=AT)
    found = files if files is not None else [ModelFile("model.skops", "34" * 32, 7)]
    return model_bom(
        below, image="models/digits", digest=DIGEST, model="digits", files=found, lineage=LINEAGE, created=AT
    )


def test_the_bill_of_materials_has_packages_model_files_and_a_card() -> None:
    components = {each["bom-ref"]: each for each in the_bom()["components"]}

    assert components["pkg:pypi/scikit-learn@1.7.2"]["licenses"] == [{"license": {"name": "BSD-3-Clause"}}]
    assert "licenses" not in components["pkg:pypi/numpy@2.3.5"], "a whole text is no name of a licence"
    assert "pkg:deb/debian/libstdc%2B%2B6@12.2.0-14" in components
    model = next(each for each in components.values() if each["type"] == "machine-learning-model")
    assert [file["name"] for file in model["components"]] == ["model.skops"]
    assert model["modelCard"]["quantitativeAnalysis"]["performanceMetrics"][0] == {"type": "accuracy", "value": "0.95"}
    assert json.dumps(the_bom()) == json.dumps(the_bom())


def test_a_model_of_many_files_lists_some_and_names_all_by_one_digest() -> None:
    files = [ModelFile(f"f{number:05}", f"{number:064x}", 1) for number in range(2 * MOST_FILES)]

    model = the_bom(files)["components"][-1]

    assert len(model["components"]) == MOST_FILES
    assert model["hashes"][0]["content"] == model_digest(files)


@pytest.mark.parametrize("files", [[], [ModelFile("a b/ü.bin", "34" * 32, 0)]])
def test_the_bill_of_materials_keeps_to_the_strict_schema(files: list[ModelFile]) -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    validator = JsonStrictValidator(SchemaVersion.V1_6)
    for bom in (packages_bom("scoring/digits", DIGEST, PACKAGES, created=AT), the_bom(files)):
        assert validator.validate_str(json.dumps(bom)) is None


def test_provenance_names_what_the_image_was_made_from() -> None:
    said = provenance(
        LINEAGE, base="scoring/digits", base_digest=DIGEST, code="", environment="key", model="34" * 32, created=AT
    )

    parts = {each["name"]: each["digest"]["sha256"] for each in said["buildDefinition"]["resolvedDependencies"]}
    assert parts == {
        "oci:scoring/digits": "ab" * 32,
        "edgetrain:snapshot": "cd" * 32,
        "edgetrain:holdout": "ef" * 32,
        "edgetrain:model": "34" * 32,
    }
    assert said["runDetails"]["metadata"] == {"invocationId": "run-1", "finishedOn": "2026-05-01T00:00:00Z"}


def a_layer(**files: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()


def test_packages_are_read_from_the_layers_as_an_engine_would_see_them(tmp_path: Path) -> None:
    registry, cache = InMemoryRegistry(), LayerCache(tmp_path / "cache")
    debian = (
        "Package: libc6\nStatus: install ok installed\nVersion: 2.36\nDescription: x\n y\n\n"
        "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n"
    )
    below = a_layer(
        **{
            "./var/lib/dpkg/status": debian,
            "opt/site/old-1.dist-info/METADATA": "Name: old\nVersion: 1\n\nLong: text",
            "opt/site/kept-1.dist-info/METADATA": "Name: kept\nVersion: 1\nLicense: a\n b\n",
        }
    )
    above = a_layer(
        **{"opt/site/.wh.old-1.dist-info": "", "opt/site/new-2.dist-info/METADATA": "Name: new\nVersion: 2\n"}
    )
    (tmp_path / "above").write_bytes(above)
    registry.blobs["base", "sha256:" + "1" * 64] = below
    layers = [Descriptor("x", "sha256:" + "1" * 64, 1), Descriptor("x", "sha256:" + "2" * 64, 1)]

    for _ in range(2):  # the second time from the cache
        found = installed_packages(
            layers, {layers[1].digest: tmp_path / "above"}, blobs=registry, repository="base", cache=cache
        )
        registry.blobs.clear()
        (tmp_path / "above").write_bytes(b"")

        assert [(package.name, package.version) for package in found] == [
            ("libc6", "2.36"),
            ("kept", "1"),
            ("new", "2"),
        ]


def test_a_layer_in_another_format_says_nothing() -> None:
    assert read_layer(io.BytesIO(b"\x28\xb5\x2f\xfd zstd")).debian is None
