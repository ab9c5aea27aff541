"""Images as values: read one, change it, write it out. The same value always has the same bytes and digest."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from shared.oci.media_types import OCI_CONFIG, OCI_MANIFEST, oci_layer
from shared.oci.references import digest_of, is_digest

PLATFORM = ("linux", "amd64")

# What an OCI image configuration may hold; Docker's has more, about the container it was once committed from.
_CONFIG_FIELDS = (
    "created",
    "author",
    "architecture",
    "os",
    "os.version",
    "os.features",
    "variant",
    "config",
    "rootfs",
    "history",
)


@dataclass(frozen=True, slots=True)
class Descriptor:
    """Points at a blob; ``size`` in bytes."""

    media_type: str
    digest: str
    size: int

    def to_json(self) -> dict[str, Any]:
        """As it stands in a manifest."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer's blob, and the digest of its uncompressed tar, which the configuration lists."""

    descriptor: Descriptor
    diff_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One image for one platform: its layers from the bottom up, its configuration, its annotations."""

    layers: tuple[Descriptor, ...]
    config: Mapping[str, Any]
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def config_blob(self) -> bytes:
        """The configuration as it is stored."""
        return _canonical(self.config)

    @property
    def config_descriptor(self) -> Descriptor:
        """Where the manifest says that the configuration is."""
        blob = self.config_blob
        return Descriptor(OCI_CONFIG, digest_of(blob), len(blob))

    @property
    def manifest(self) -> bytes:
        """The manifest as it is stored."""
        content: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": self.config_descriptor.to_json(),
            "layers": [layer.to_json() for layer in self.layers],
        }
        if self.annotations:
            content["annotations"] = dict(self.annotations)
        return _canonical(content)

    @property
    def digest(self) -> str:
        """The name that nothing else has."""
        return digest_of(self.manifest)

    @property
    def descriptor(self) -> Descriptor:
        """What points at the manifest."""
        return Descriptor(OCI_MANIFEST, self.digest, len(self.manifest))

    @property
    def size(self) -> int:
        """Bytes that a pull into an empty store moves."""
        return len(self.manifest) + len(self.config_blob) + sum(layer.size for layer in self.layers)


def empty_image() -> Image:
    """No layers yet: what a base image starts from."""
    system, architecture = PLATFORM
    config = {
        "architecture": architecture,
        "os": system,
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": []},
        "history": [],
    }
    return Image(layers=(), config=config)


def read_image(manifest: Mapping[str, Any], config: Mapping[str, Any]) -> Image:
    """The image behind a manifest and a configuration, OCI's or Docker's; raises ``ValueError`` for other things."""
    try:
        return _read_image(manifest, config)
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"its manifest or configuration is not that of an image ({error!r})") from error


def _read_image(manifest: Mapping[str, Any], config: Mapping[str, Any]) -> Image:
    layers = tuple(
        Descriptor(oci_layer(str(layer["mediaType"])), named_digest(layer), int(layer["size"]))
        for layer in manifest["layers"]
    )
    listed = len(config["rootfs"]["diff_ids"])
    if listed != len(layers):
        raise ValueError(f"its configuration lists {listed} layers, its manifest {len(layers)}")
    platform = (config.get("os"), config.get("architecture"))
    if platform != PLATFORM:
        raise ValueError(f"it is made for {'/'.join(map(str, platform))}, not {'/'.join(PLATFORM)}")
    kept = {name: config[name] for name in _CONFIG_FIELDS if name in config}
    return Image(layers=layers, config=kept, annotations=manifest.get("annotations") or {})


def named_digest(entry: object) -> str:
    """The digest in a descriptor, which becomes part of an address; raises ``ValueError`` when it is none."""
    digest = entry.get("digest") if isinstance(entry, Mapping) else None
    if not isinstance(digest, str) or not is_digest(digest):
        raise ValueError("it names a blob by something that is not a sha256 digest")
    return digest


def choose_platform(index: Mapping[str, Any]) -> str:
    """The digest of the linux/amd64 image in a multi-platform index; raises ``ValueError`` when there is none."""
    entries = index.get("manifests")
    for entry in entries if isinstance(entries, list) else ():
        platform = (entry.get("platform") if isinstance(entry, Mapping) else None) or {}
        if isinstance(platform, Mapping) and (platform.get("os"), platform.get("architecture")) == PLATFORM:
            return named_digest(entry)
    raise ValueError(f"it holds no image for {'/'.join(PLATFORM)}")


def append(image: Image, layer: Layer, *, created: datetime, comment: str) -> Image:
    """The image with one more layer on top. ``created`` is when its content came to be, not the time of the call."""
    config = dict(image.config)
    config["created"] = timestamp(created)
    config["rootfs"] = {"type": "layers", "diff_ids": [*config["rootfs"]["diff_ids"], layer.diff_id]}
    config["history"] = [
        *config.get("history", ()),
        {"created": timestamp(created), "created_by": "edgetrain", "comment": comment},
    ]
    return replace(image, layers=(*image.layers, layer.descriptor), config=config)


def describe(image: Image, facts: Mapping[str, str]) -> Image:
    """The image with these facts as labels and as annotations.

    Labels are what an engine shows for a container and are inherited from the base image; annotations can be read
    without pulling, and speak of this image alone: the base image's are dropped.
    """
    runtime = dict(image.config.get("config") or {})
    runtime["Labels"] = {**(runtime.get("Labels") or {}), **facts}
    return replace(image, config={**image.config, "config": runtime}, annotations=dict(facts))


def configure(
    image: Image,
    *,
    environment: Mapping[str, str],
    user: str,
    port: int,
    entrypoint: Sequence[str],
    command: Sequence[str],
) -> Image:
    """The image with these defaults for its containers; variables of the base image stay unless named here."""
    runtime = dict(image.config.get("config") or {})
    inherited = dict(line.split("=", 1) for line in runtime.get("Env") or ())
    runtime["Env"] = [f"{name}={value}" for name, value in {**inherited, **environment}.items()]
    runtime["User"] = user
    runtime["ExposedPorts"] = {f"{port}/tcp": {}}
    runtime["Entrypoint"] = list(entrypoint)
    runtime["Cmd"] = list(command)
    return replace(image, config={**image.config, "config": runtime})


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
