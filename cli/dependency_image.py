"""Make the image that a pipeline trains in and its models are put on: a base, Python libraries, the scoring server.

Once per lock file. Its name is ``scoring/<training folder>:<environment key>``, in the registry of the app's settings
(EDGETRAIN_CONTAINER_REGISTRY__URL, __USERNAME, __PASSWORD), signed with the key of EDGETRAIN_SIGNING__... together with
the list of its packages. What is there already and signed stays. Its digest is pinned in the
ledger (AzureWebJobsStorage), so that a tag that is moved later is refused; without that setting the first run pins it.
"""

import gzip
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from cli.base_image import BUILD_TIME, SUITE, base_layer
from cli.image_packages import installed_packages
from cli.image_pinning import keep_pin
from cli.layer_cache import CachedLayer, LayerCache, Say
from cli.site_layer import SITE, site_layer
from shared.clients.container_registry import connect
from shared.clients.identity import signed_in
from shared.clients.signers import connect as connect_signer
from shared.clients.signers import trusted_keys
from shared.errors import Code, PermanentError
from shared.oci.images import Image, Layer, append, configure, describe, empty_image, timestamp
from shared.oci.layers import compress_layer
from shared.oci.references import ImageName, parse_name
from shared.oci.transfer import FoundImage, ImageRegistry, Parts, find_image, push_image
from shared.pipelines import Pipelines
from shared.settings import ContainerRegistry, Signing
from shared.signing.image_signatures import ImageSignatures, about_image
from shared.signing.sbom import packages_bom
from shared.signing.statements import SBOM
from shared.training_code.job_folders import JobFolders
from shared.training_code.scoring_images import APP_ROOT, MODEL_ROOT, SCORING_PORT, ScoringParts, scoring_parts

USER = "10001:10001"  # a number, because the base image need not know the user
_ENVIRONMENT = {
    "PYTHONPATH": SITE,
    "PYTHONUNBUFFERED": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "HOME": "/tmp",  # noqa: S108 - in the container, where nothing else can be written to
    "AML_APP_ROOT": APP_ROOT,
    "AZUREML_ENTRY_SCRIPT": f"{APP_ROOT}/score.py",
    "AZUREML_MODEL_DIR": MODEL_ROOT,
}
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # where a bare root file system has programs
_ENTRYPOINT = ("python3", "-m", "azureml_inference_server_http", "--entry_script", f"{APP_ROOT}/score.py")
_COMMAND = ("--port", str(SCORING_PORT))


class Environment(BaseSettings):
    """The app settings that name the registry, and the keys."""

    model_config = SettingsConfigDict(env_prefix="EDGETRAIN_", env_nested_delimiter="__", frozen=True, extra="ignore")

    container_registry: ContainerRegistry
    signing: Signing = Signing()


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """The base image: its layers, where they are stored, and its name."""

    image: Image
    parts: Parts
    facts: dict[str, str] = field(default_factory=dict)


BaseMaker = Callable[[], Base]


def ensure_dependency_image(
    parts: ScoringParts,
    *,
    signatures: ImageSignatures,
    make_base: BaseMaker,
    cache: LayerCache,
    say: Say,
    rebuild: bool = False,
    adopt: bool = False,
) -> str:
    """Make, push and sign the dependency image unless it is there with our signature; returns its digest.

    An image without one is signed when the same bytes come out here, or with ``adopt``, the operator's word for it;
    otherwise :class:`PermanentError` (signature_refused).
    """
    name, registry = parts.dependency_image, signatures.registry
    known = None if rebuild else find_image(registry, name)
    if known is not None and signatures.is_signed(known.repository, known.digest):
        say(f"{registry.host}/{name} is there already, and signed ({known.digest})")
        return known.digest
    if known is not None and adopt:
        sign_dependency_image(known, {}, signatures, cache, say)
        return known.digest
    base = make_base()
    image, files = assembled(parts, base, cache, say)
    if known is not None and known.digest != image.digest:
        raise PermanentError(_unsigned(registry.host, name, known.digest), code=Code.SIGNATURE_REFUSED)
    if known is None:
        say(f"pushing {registry.host}/{name} ({image.size / 1e6:.0f} MB)")
        push_image(registry, image, name, Parts(files=files, repository=base.parts.repository))
        known = find_image(registry, ImageName(name.repository, image.digest))
    assert known is not None  # noqa: S101 - it was pushed above; for the type checker
    sign_dependency_image(known, files, signatures, cache, say)
    say(f"{registry.host}/{name} is ready ({image.digest})")
    return image.digest


def sign_dependency_image(
    image: FoundImage, files: Mapping[str, Path], signatures: ImageSignatures, cache: LayerCache, say: Say
) -> None:
    """Sign an image of the registry, and the list of packages in it; ``files``: those of its layers that are here."""
    say("listing the packages in it, and signing it")
    packages = installed_packages(
        image.image.layers, files, blobs=signatures.registry, repository=image.repository, cache=cache
    )
    bom = packages_bom(image.repository, image.digest, packages, created=BUILD_TIME)
    statement = about_image(image.repository, image.digest, SBOM, bom)
    signatures.sign(image.repository, image.descriptor, [statement])


def _unsigned(host: str, name: ImageName, digest: str) -> str:
    return (
        f"{host}/{name} is {digest}, which is not signed with the key of the settings, and is not what these locks and"
        " this base make here; build it anew with --rebuild, or, when you know who made it, sign it with --pin"
    )


def assembled(parts: ScoringParts, base: Base, cache: LayerCache, say: Say) -> tuple[Image, dict[str, Path]]:
    """The image on this base, and the files of those of its layers that are on this machine, by digest."""
    site = site_layer(cache, parts.locks, parts.environment, say)
    image = append(base.image, site.layer, created=BUILD_TIME, comment=f"libraries {parts.environment}")
    image = configure(
        image, environment=_ENVIRONMENT, user=USER, port=SCORING_PORT, entrypoint=_ENTRYPOINT, command=_COMMAND
    )
    files = {**base.parts.files, site.layer.descriptor.digest: site.file}
    return describe(image, _facts(parts) | base.facts), files


def debian_base(cache: LayerCache, say: Say) -> Base:
    """A base made from Debian packages."""
    return _single_layer(base_layer(cache, say), f"debian:{SUITE} (mmdebstrap)")


def tar_base(tar: Path, cache: LayerCache, say: Say) -> Base:
    """A base made from a tar file, compressed or not, with a root file system."""
    say(f"reading {tar.name}")
    try:
        with tar.open("rb") as content:
            key = f"tar-{hashlib.file_digest(content, 'sha256').hexdigest()}"
    except OSError as error:
        raise PermanentError(f"--base-tar {tar}: {error.strerror}", code=Code.BAD_CONFIGURATION) from None

    return _single_layer(cache.get_or_make(key, lambda into, _: _repack(tar, into)), tar.name)


def registry_base(reference: str, registry: ImageRegistry) -> Base:
    """An image of the same registry as the base."""
    try:
        name = parse_name(reference.removeprefix(f"{registry.host}/"))
        found = find_image(registry, name)
    except ValueError as error:
        raise PermanentError(f"--base {reference}: {error}", code=Code.BAD_CONFIGURATION) from None
    if found is None:
        reason = f"the registry {registry.host} has no image {name}; import it, use --base-tar, or leave out both"
        raise PermanentError(reason, code=Code.BAD_CONFIGURATION)
    facts = {"org.opencontainers.image.base.name": str(name), "org.opencontainers.image.base.digest": found.digest}
    return Base(image=found.image, parts=Parts(repository=found.repository), facts=facts)


def _single_layer(layer: CachedLayer, title: str) -> Base:
    image = append(empty_image(), layer.layer, created=BUILD_TIME, comment=title)
    image = replace(image, config={**image.config, "config": {"Env": [f"PATH={_PATH}"]}})
    parts = Parts(files={layer.layer.descriptor.digest: layer.file})
    return Base(image=image, parts=parts, facts={"org.opencontainers.image.base.name": title})


def _repack(tar: Path, into: BinaryIO) -> Layer:
    with tar.open("rb") as content:
        packed = content.read(2) == b"\x1f\x8b"
        content.seek(0)
        return compress_layer(gzip.open(content) if packed else content, into)


def _facts(parts: ScoringParts) -> dict[str, str]:
    return {
        "org.opencontainers.image.created": timestamp(BUILD_TIME),
        "org.opencontainers.image.title": parts.dependency_image.repository,
        "org.opencontainers.image.description": "Scoring server and libraries, waiting for a model",
        "io.edgetrain.environment": parts.environment,
    }


def make_for(
    name: str,
    *,
    base: str,
    base_tar: Path | None,
    rebuild: bool,
    cache: Path,
    app_root: Path,
    say: Say,
    pin: bool = False,
) -> None:
    """Make the dependency image of a pipeline, and pin it; at most one of ``base`` and ``base_tar`` names its base.

    ``pin``: pin what the tag points at now, also when it was pinned to another. What is built here is pinned anyway.
    """
    layers = LayerCache(cache)
    pipeline = Pipelines(app_root / "pipelines").get(name)
    parts = scoring_parts(JobFolders(app_root).read(pipeline.train.folder))
    settings = registry_settings()
    signer, trusted = connect_signer(settings.signing, signed_in), trusted_keys(settings.signing)
    with connect(settings.container_registry, signed_in) as registry:

        def make_base() -> Base:
            if base:
                return registry_base(base, registry)
            return tar_base(base_tar, layers, say) if base_tar else debian_base(layers, say)

        before = registry.get_manifest(parts.dependency_image.repository, parts.dependency_image.reference)
        digest = ensure_dependency_image(
            parts,
            signatures=ImageSignatures(registry, signer, trusted),
            make_base=make_base,
            cache=layers,
            say=say,
            rebuild=rebuild,
            adopt=pin,
        )
        keep_pin(
            parts.dependency_image,
            digest,
            host=registry.host,
            pipeline=name,
            anew=pin or rebuild or before is None,
            wanted=pin,
            before=before.digest if before else None,
            say=say,
        )


def registry_settings() -> Environment:
    """The settings of the registry and the keys; raises :class:`PermanentError` when there are none."""
    try:
        return Environment()
    except ValidationError:
        reason = "say where the registry is: set EDGETRAIN_CONTAINER_REGISTRY__URL (and __USERNAME, __PASSWORD)"
        raise PermanentError(reason, code=Code.BAD_CONFIGURATION) from None
