"""Media types of images, and the OCI name of what Docker calls differently.

Docker's image format, schema 2, and OCI's differ only in these names; the blobs behind them are the same bytes.
"""

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
OCI_LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"

MANIFESTS = (OCI_MANIFEST, DOCKER_MANIFEST)
INDEXES = (OCI_INDEX, DOCKER_INDEX)

_OCI_LAYERS = (
    OCI_LAYER,
    OCI_LAYER_GZIP,
    "application/vnd.oci.image.layer.v1.tar+zstd",
)
_DOCKER_LAYERS = {
    "application/vnd.docker.image.rootfs.diff.tar": OCI_LAYER,
    "application/vnd.docker.image.rootfs.diff.tar.gzip": OCI_LAYER_GZIP,
    "application/vnd.docker.image.rootfs.diff.tar.zstd": "application/vnd.oci.image.layer.v1.tar+zstd",
}


def oci_layer(media_type: str) -> str:
    """The OCI name of a layer's media type.

    Raises ``ValueError`` for layers that may not be copied (Windows base images), and for what is no layer.
    """
    if media_type in _OCI_LAYERS:
        return media_type
    if media_type in _DOCKER_LAYERS:
        return _DOCKER_LAYERS[media_type]
    raise ValueError(f"{media_type!r} is not a layer that can be part of a derived image")
